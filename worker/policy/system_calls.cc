#include "worker/policy/system_calls.h"

#include <linux/audit.h>
#include <seccomp.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>

#include "worker/policy/seccomp_policy.h"

namespace paddock {
namespace {

constexpr char kUnknown[] = "unknown";
constexpr uint32_t kEveryArchitecture = 0;

// Calls that the libseccomp we build with does not know. Since Linux 5.0 new
// calls have one number on every architecture.
struct NewSystemCall {
  const char* name;
  uint32_t number;
  uint32_t architecture = kEveryArchitecture;
};
constexpr NewSystemCall kNewSystemCalls[] = {
    {"uretprobe", 335, AUDIT_ARCH_X86_64},
    {"uprobe", 336, AUDIT_ARCH_X86_64},
    {"cachestat", 451},
    {"fchmodat2", 452},
    {"map_shadow_stack", 453},
    {"futex_wake", 454},
    {"futex_wait", 455},
    {"futex_requeue", 456},
    {"statmount", 457},
    {"listmount", 458},
    {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460},
    {"lsm_list_modules", 461},
    {"mseal", 462},
    {"setxattrat", 463},
    {"getxattrat", 464},
    {"listxattrat", 465},
    {"removexattrat", 466},
    {"open_tree_attr", 467},
    {"file_getattr", 468},
    {"file_setattr", 469},
};

bool Has(const NewSystemCall& call, uint32_t architecture) {
  return call.architecture == kEveryArchitecture ||
         call.architecture == architecture;
}

// The one table of architectures. libseccomp's tokens are the AUDIT_ARCH_*
// values, but for x32, which the kernel reports as x86_64 with a bit set in
// the number.
struct Architecture {
  uint32_t audit_arch;
  const char* name;
};
constexpr Architecture kArchitectures[] = {
    {AUDIT_ARCH_X86_64, "x86_64"},     {AUDIT_ARCH_I386, "i386"},
    {AUDIT_ARCH_AARCH64, "aarch64"},   {AUDIT_ARCH_ARM, "arm"},
    {AUDIT_ARCH_RISCV64, "riscv64"},   {AUDIT_ARCH_RISCV32, "riscv32"},
    {AUDIT_ARCH_PPC64LE, "ppc64le"},   {AUDIT_ARCH_PPC64, "ppc64"},
    {AUDIT_ARCH_PPC, "ppc"},           {AUDIT_ARCH_S390X, "s390x"},
    {AUDIT_ARCH_S390, "s390"},         {AUDIT_ARCH_MIPS, "mips"},
    {AUDIT_ARCH_MIPSEL, "mipsel"},     {AUDIT_ARCH_MIPS64, "mips64"},
    {AUDIT_ARCH_MIPSEL64, "mipsel64"},
};
constexpr uint32_t kX32Bit = 0x40000000;

bool IsArchitecture(uint32_t audit_arch) {
  return std::any_of(std::begin(kArchitectures), std::end(kArchitectures),
                     [&](const Architecture& architecture) {
                       return architecture.audit_arch == audit_arch;
                     });
}

}  // namespace

uint32_t NativeArchitecture() { return seccomp_arch_native(); }

std::optional<uint32_t> SystemCallNumber(uint32_t audit_arch,
                                         absl::string_view name) {
  const std::string terminated(name);
  // Negative: no such name, or another architecture's.
  const int number =
      seccomp_syscall_resolve_name_arch(audit_arch, terminated.c_str());
  if (number >= 0) return static_cast<uint32_t>(number);
  for (const NewSystemCall& call : kNewSystemCalls) {
    if (name == call.name && Has(call, audit_arch)) return call.number;
  }
  return std::nullopt;
}

bool IsSystemCallName(absl::string_view name) {
  const std::string terminated(name);
  if (seccomp_syscall_resolve_name(terminated.c_str()) != __NR_SCMP_ERROR) {
    return true;
  }
  for (const NewSystemCall& call : kNewSystemCalls) {
    if (name == call.name) return true;
  }
  return false;
}

std::string SystemCallName(uint32_t audit_arch, int number) {
  // libseccomp has tokens that are no architecture: 0 is the native one.
  if (!IsArchitecture(audit_arch)) return kUnknown;
  const bool is_x32 = audit_arch == AUDIT_ARCH_X86_64 && number >= 0 &&
                      (static_cast<uint32_t>(number) & kX32Bit) != 0;
  const std::unique_ptr<char, decltype(&free)> name(
      seccomp_syscall_resolve_num_arch(is_x32 ? SCMP_ARCH_X32 : audit_arch,
                                       number),
      &free);
  if (name != nullptr) return name.get();
  for (const NewSystemCall& call : kNewSystemCalls) {
    if (number >= 0 && call.number == static_cast<uint32_t>(number) &&
        Has(call, audit_arch)) {
      return call.name;
    }
  }
  return kUnknown;
}

std::string ArchitectureName(uint32_t audit_arch) {
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.audit_arch == audit_arch) return architecture.name;
  }
  return kUnknown;
}

}  // namespace paddock
