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

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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
    {CAP_MKNOD, "CAP_MKNOD"},
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

}  // namespace

absl::Status AcquirePrivileges(bool* rootless) {
  *rootless = geteuid() != 0;
  if (*rootless) RETURN_IF_ERROR(EnterOwnUserNamespace());
  std::vector<const char*> missing;
  for (const NeededCapability& needed : kNeeded) {
    if (!Has(needed.number)) missing.push_back(needed.name);
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "paddockd is root here, but without ", absl::StrJoin(missing, ", "),
      ". Give them back: in a systemd unit by CapabilityBoundingSet=, in a "
      "container by --cap-add or --privileged"));
}

int64_t HighestOpenFilesLimit() {
  // That of a user namespace is none over this: capabilities(7).
  const auto map = ReadFileAt(AT_FDCWD, "/proc/self/uid_map");
  if (Has(CAP_SYS_RESOURCE) && map.ok() &&
      absl::StrContains(*map, "4294967295")) {
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
