#ifndef PADDOCK_SERVER_SUPERVISOR_CGROUP_LAYOUT_H_
#define PADDOCK_SERVER_SUPERVISOR_CGROUP_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace paddock {

// The controllers that sandboxes use where they are present, by their v1 names.
// v2 calls blkio io, and has cpuacct without a controller. The last two are
// second lines: second_line.h.
inline constexpr const char* kUsedControllers[] = {"memory",  "pids",   "cpu",
                                                   "cpuacct", "cpuset", "blkio",
                                                   "hugetlb", "devices"};

// One cgroup hierarchy as this process sees it, through its cgroup namespace
// and its mount namespace: cgroups(7), cgroup_namespaces(7).
struct CgroupHierarchy {
  bool unified = false;  // cgroup v2
  // v1: those of kUsedControllers that are attached to it. v2: empty.
  std::vector<std::string> controllers;
  std::string own_path;   // this process's group, as in /proc/self/cgroup
  std::string base_path;  // the group ours are made in: its own, or `parent`
  // Absolute directories of the two; empty where no mount shows them.
  std::string own_directory;
  std::string base_directory;
};

// The hierarchies to use, the unified one first, which is always there. From
// the texts of /proc/self/cgroup and /proc/self/mountinfo: proc(5). `parent` is
// config.cgroup.parent. FailedPrecondition if our own group is gone.
absl::StatusOr<std::vector<CgroupHierarchy>> FindCgroupHierarchies(
    const std::string& self_cgroup, const std::string& mountinfo,
    const std::string& parent);

// The same, of this process.
absl::StatusOr<std::vector<CgroupHierarchy>> FindOwnCgroupHierarchies(
    const std::string& parent);

// The smallest memory limit that holds for this process by its cgroups, and
// RAM. Bytes.
int64_t UsableMemory(const std::vector<CgroupHierarchy>& hierarchies);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_CGROUP_LAYOUT_H_
