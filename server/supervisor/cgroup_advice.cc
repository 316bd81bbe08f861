#include "server/supervisor/cgroup_advice.h"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "server/supervisor/cgroup_tree.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

bool OnUnified(const internal::v1::CgroupLayout& layout,
               const std::string& controller) {
  return std::count(layout.unified_controllers().begin(),
                    layout.unified_controllers().end(), controller) > 0;
}

bool OnV1(const internal::v1::CgroupLayout& layout,
          const std::string& controller) {
  return std::any_of(layout.v1().begin(), layout.v1().end(),
                     [&](const internal::v1::CgroupV1Hierarchy& hierarchy) {
                       return hierarchy.controller() == controller;
                     });
}

absl::Status NoController(const std::string& name, absl::string_view where,
                          const std::vector<std::string>& refusals) {
  return absl::FailedPreconditionError(absl::StrCat(
      "no cgroup hierarchy gives this process the ", name,
      " controller, without which programs cannot be limited. ", where,
      "n v1 its hierarchy must be mounted, and the daemon's cgroup writable",
      refusals.empty() ? "" : ". Refused: ", absl::StrJoin(refusals, "; ")));
}

}  // namespace

absl::Status CheckControllers(const internal::v1::CgroupLayout& layout,
                              const std::vector<std::string>& refusals) {
  const bool unified_memory = OnUnified(layout, "memory");
  const bool unified_pids = OnUnified(layout, "pids");
  if (unified_memory && unified_pids) return absl::OkStatus();
  for (const char* needed : {"memory", "pids"}) {
    if (OnUnified(layout, needed) || OnV1(layout, needed)) continue;
    return NoController(
        needed,
        "On cgroup v2 it must stand in cgroup.controllers of the daemon's "
        "cgroup: enable it in the parent's cgroup.subtree_control, or run "
        "paddockd as a systemd unit with Delegate=yes. O",
        refusals);
  }
  if (unified_memory || unified_pids) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the controller ", unified_memory ? "memory" : "pids",
        " is on cgroup v2 here and ", unified_memory ? "pids" : "memory",
        " on v1: have both on one. A v1 controller goes to v2 with "
        "cgroup_no_v1=",
        unified_memory ? "pids" : "memory",
        " on the kernel's command line, all of them with "
        "systemd.unified_cgroup_hierarchy=1; one of v2 that no group uses, to "
        "v1 by mounting it there"));
  }
  return OnV1(layout, "cpuacct") ? absl::OkStatus()
                                 : NoController("cpuacct", "O", refusals);
}

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
          "is mounted read-only here. Mount it writable: a container needs one "
          "of its own, and for cgroup v2 a cgroup namespace with it (podman "
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
