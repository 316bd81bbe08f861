#ifndef PADDOCK_WORKER_SANDBOX_CLONE_PROBE_H_
#define PADDOCK_WORKER_SANDBOX_CLONE_PROBE_H_

#include <string>

#include "absl/status/statusor.h"

namespace paddock {

// Whether a child that clone3(2) puts into a fresh group with CLONE_INTO_CGROUP
// lives. On Linux 6.12 it is killed at once where the cgroup of its parent was
// killed before by cgroup.kill: the kernel compares how often either was. The
// group is made in `parent`, a directory on cgroup2, as `name`, and removed.
absl::StatusOr<bool> ChildClonedIntoCgroupLives(int parent,
                                                const std::string& name);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_CLONE_PROBE_H_
