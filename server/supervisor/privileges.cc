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
#include "absl/strings/str_split.h"
#include "server/config/defaults.h"
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

// Whether one line of the map has all of [first, last]. Ranges that lie side by
// side are not joined: nobody maps so.
bool IsMapped(const std::string& map, int64_t first, int64_t last) {
  for (absl::string_view line : absl::StrSplit(map, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    int64_t start = 0, count = 0;
    if (words.size() == 3 && absl::SimpleAtoi(words[0], &start) &&
        absl::SimpleAtoi(words[2], &count) && start <= first &&
        last < start + count) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::Status CheckPrivileges() {
  if (geteuid() != 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "paddockd must be started as root, and this is uid ", geteuid(),
        ": start it with sudo, or as a service "
        "(deploy/systemd/paddock.service). The process that talks to clients "
        "gives up every privilege"));
  }
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

absl::Status CheckHostIdsAreMapped(const config::v1::Config& config) {
  const int64_t first = config.sandbox().host_id_base() - kInitIdsBelowBase;
  const int64_t last = config.sandbox().host_id_base() +
                       config.workers().count() * kIdsPerSlot - 1;
  for (const char* file : {"/proc/self/uid_map", "/proc/self/gid_map"}) {
    ASSIGN_OR_RETURN(const std::string map, ReadFileAt(AT_FDCWD, file));
    if (!IsMapped(map, first, last)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "sandbox.host_id_base: programs would run under the ids ", first,
          " to ", last, ", which ", file,
          " does not map: paddockd is in a user namespace. Map them, or start "
          "it in the host's"));
    }
  }
  return absl::OkStatus();
}

int64_t HighestOpenFilesLimit() {
  if (Has(CAP_SYS_RESOURCE)) {
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
