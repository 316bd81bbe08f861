#ifndef PADDOCK_WORKER_SANDBOX_CGROUP_V1_H_
#define PADDOCK_WORKER_SANDBOX_CGROUP_V1_H_

#include <map>
#include <memory>
#include <string>

#include "worker/base/unique_fd.h"
#include "worker/sandbox/cgroup.h"

namespace paddock {

// Controllers on v1 hierarchies: the kernel's admin-guide/cgroup-v1/. `unified`
// is a directory of the cgroup2 file system, which has no controller here and
// serves for the kill. `controllers` maps a controller to its directory.
absl::StatusOr<std::unique_ptr<CgroupFactory>> MakeCgroupV1Factory(
    UniqueFd unified, std::map<std::string, UniqueFd> controllers,
    const CgroupOptions& options);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_CGROUP_V1_H_
