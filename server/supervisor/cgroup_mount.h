#ifndef PADDOCK_SERVER_SUPERVISOR_CGROUP_MOUNT_H_
#define PADDOCK_SERVER_SUPERVISOR_CGROUP_MOUNT_H_

#include "absl/status/statusor.h"
#include "server/supervisor/cgroup_layout.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// The root of the unified hierarchy where no mount shows `hierarchy`: a mount
// that is attached nowhere and that lives as long as descriptors below it. Who
// is root of a user namespace alone may mount none but a cgroup namespace of
// that one: such a process moves into one, and `hierarchy` is changed to what
// its paths are there. The process must have one thread.
absl::StatusOr<UniqueFd> OpenUnmountedUnified(CgroupHierarchy* hierarchy);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_CGROUP_MOUNT_H_
