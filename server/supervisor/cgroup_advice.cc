#include "server/supervisor/cgroup_advice.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/supervisor/cgroup_tree.h"
#include "worker/base/status_macros.h"

namespace paddock {

absl::Status BusyBase(const CgroupHierarchy& hierarchy, int base) {
  const absl::StatusOr<std::vector<int>> members = Members(base);
  return absl::FailedPreconditionError(absl::StrCat(
      "other processes (pid ",
      members.ok() && !members->empty() ? absl::StrJoin(*members, ", ")
                                        : "unknown",
      ") are in the cgroup ", hierarchy.base_path,
      ", so the kernel enables no controller below it. Give paddockd a cgroup "
      "of its own: run it as a systemd unit with Delegate=yes "
      "(deploy/systemd/system/paddock.service), or by `systemd-run --scope -p "
      "Delegate=yes paddockd ...`, as the only process of a container that has "
      "a "
      "cgroup of its own (podman without root or systemd: --cgroups=split), or "
      "set cgroup.parent to an empty cgroup"));
}

absl::Status NotWritable(const CgroupHierarchy& hierarchy,
                         const absl::Status& status) {
  const char* help = nullptr;
  switch (ErrnoOf(status)) {
    case EROFS:
      help =
          "is mounted read-only here. Mount it writable: a container needs a "
          "cgroup namespace with a writable mount of its own (podman "
          "--security-opt unmask=/sys/fs/cgroup; docker --tmpfs "
          "/sys/fs/cgroup, which leaves it to paddockd, or since 28.0 "
          "--security-opt writable-cgroups=true; in config.json \"rw\")";
      break;
    case EACCES:
    case EPERM:
      help =
          "does not belong to this user. Run paddockd as root, or have the "
          "cgroup delegated: `systemd-run --user --scope -p Delegate=yes "
          "paddockd ...`. In a container with a user namespace of its own the "
          "cgroup has to belong to root there, as podman makes it";
      break;
    default:
      return status;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      status.message(), "; ",
      hierarchy.base_directory.empty() ? "it" : hierarchy.base_directory, " ",
      help));
}

absl::Status NotMountable(const absl::Status& status) {
  const int error = ErrnoOf(status);
  if (error != EPERM && error != EACCES && error != ENOSYS) return status;
  return absl::FailedPreconditionError(absl::StrCat(
      status.message(),
      "; no mount here shows this cgroup, and paddockd may not mount it: mount "
      "it at /sys/fs/cgroup, or allow fsopen, fsconfig and fsmount (podman or "
      "docker --security-opt seccomp=deploy/docker/seccomp.json). With "
      "cgroup.parent only root of the host can mount it"));
}

absl::Status CheckSwapIsLimited(int group, const char* file,
                                int64_t swap_bytes) {
  if (swap_bytes == 0 || faccessat(group, file, F_OK, 0) == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "this host has swap, and cgroups without ", file,
      ", which keeps programs from getting it beyond their memory limit. "
      "Remove swapaccount=0 from the kernel's command line, or switch swap off "
      "with swapoff(8)"));
}

// Not /proc/swaps, which containers may hide or make up.
int64_t HostSwapBytes() {
  struct sysinfo host = {};
  if (sysinfo(&host) != 0) return -1;
  return static_cast<int64_t>(host.totalswap) * host.mem_unit;
}

}  // namespace paddock
