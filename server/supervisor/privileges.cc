#include "server/supervisor/privileges.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "server/supervisor/user_namespace.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

struct NeededCapability {
  int number;
  const char* name;
};
// What it is for stands where it is used: worker/README.md.
constexpr NeededCapability kNeeded[] = {
    {CAP_CHOWN, "CAP_CHOWN"},           {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
    {CAP_FOWNER, "CAP_FOWNER"},         {CAP_KILL, "CAP_KILL"},
    {CAP_SETGID, "CAP_SETGID"},         {CAP_SETUID, "CAP_SETUID"},
    {CAP_SETPCAP, "CAP_SETPCAP"},       {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
    {CAP_SYS_CHROOT, "CAP_SYS_CHROOT"}, {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
};
// For a user namespace with more ids than one, root among them.
constexpr NeededCapability kNeededToMap[] = {
    {CAP_SETGID, "CAP_SETGID"},
    {CAP_SETUID, "CAP_SETUID"},
    {CAP_SETFCAP, "CAP_SETFCAP"},
};

uint64_t EffectiveCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) return 0;
  return data[0].effective | static_cast<uint64_t>(data[1].effective) << 32;
}

bool Has(int capability) {
  return (EffectiveCapabilities() >> capability & 1) != 0;
}

// Names, joined; empty if all are there.
std::string Missing(absl::Span<const NeededCapability> needed) {
  std::vector<const char*> missing;
  for (const NeededCapability& capability : needed) {
    if (!Has(capability.number)) missing.push_back(capability.name);
  }
  return absl::StrJoin(missing, ", ");
}

// Root of a container without --privileged.
absl::Status AcquireByUserNamespace() {
  const std::string missing = Missing(kNeededToMap);
  if (!missing.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("for that it lacks ", missing));
  }
  return EnterUserNamespaceWithAllIds();
}

}  // namespace

absl::Status AcquirePrivileges(bool* rootless) {
  *rootless = geteuid() != 0;
  if (*rootless) return EnterOwnUserNamespace();
  const std::string missing = Missing(kNeeded);
  if (missing.empty()) return absl::OkStatus();
  const absl::Status acquired = AcquireByUserNamespace();
  if (acquired.ok()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "paddockd is root here, but without ", missing,
      ": give it these (podman or docker --cap-add, process.capabilities in "
      "config.json, CapabilityBoundingSet= in a systemd unit). Nor can it make "
      "a user "
      "namespace of its own instead: ",
      acquired.message(), " (deploy/CONTAINERS.md)"));
}

bool HasSysResourceOfHost() {
  return Has(CAP_SYS_RESOURCE) && InInitialUserNamespace();
}

int64_t HighestOpenFilesLimit() {
  if (HasSysResourceOfHost()) {
    const auto text = ReadFileAt(AT_FDCWD, "/proc/sys/fs/nr_open");
    int64_t most = 0;
    if (text.ok() && absl::SimpleAtoi(*text, &most)) return most;
  }
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_max, INT32_MAX));
}

absl::Status RaiseOpenFilesLimit(int64_t programs) {
  rlimit limit = {};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return ErrnoStatus(errno, "getrlimit(RLIMIT_NOFILE)");
  }
  limit.rlim_max = std::max<rlim_t>(limit.rlim_max, programs);
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return ErrnoStatus(
        errno, absl::StrCat("setrlimit(RLIMIT_NOFILE, ", limit.rlim_max, ")"));
  }
  return absl::OkStatus();
}

}  // namespace paddock
