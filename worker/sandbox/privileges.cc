#include "worker/sandbox/privileges.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

constexpr struct {
  int capability;
  const char* reason;
} kKept[] = {
    {CAP_SYS_ADMIN, "namespaces, mounts, the filter without no_new_privs"},
    {CAP_SYS_CHROOT, "pivot_root and entering a mount namespace"},
    {CAP_SETUID, "uid maps and init's own id"},
    {CAP_SETGID, "gid maps and init's own id"},
    {CAP_SETPCAP, "init and program empty their bounding sets"},
    {CAP_CHOWN, "inputs belong to the program"},
    {CAP_FOWNER, "modes of inputs after chown"},
    {CAP_DAC_OVERRIDE, "outputs of any mode, and the program's directories"},
    {CAP_KILL, "init runs under another id"},
    {CAP_NET_ADMIN, "bringing up the loopback interface"},
};

}  // namespace

absl::Status CutWorkerPrivileges(const std::vector<sock_filter>& filter,
                                 bool maps_root) {
  uint64_t kept = maps_root ? uint64_t{1} << CAP_SETFCAP : 0;
  for (const auto& row : kKept) kept |= uint64_t{1} << row.capability;
  for (int cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; ++cap) {
    if (kept >> cap & 1) continue;
    if (prctl(PR_CAPBSET_DROP, cap) != 0) {
      return ErrnoStatus(errno, absl::StrCat("drop capability ", cap));
    }
  }
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; ++i) {
    const uint32_t half = static_cast<uint32_t>(kept >> (32 * i));
    sets[i].permitted = half;
    sets[i].effective = half;
  }
  if (syscall(SYS_capset, &header, sets) != 0) {
    return ErrnoStatus(errno, "capset: the worker needs more than it has");
  }
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return ErrnoStatus(errno, "prctl");
  const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                              const_cast<sock_filter*>(filter.data())};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
    return ErrnoStatus(errno, "load the worker's filter: seccomp");
  }
  return absl::OkStatus();
}

}  // namespace paddock
