#ifndef PADDOCK_WORKER_SANDBOX_CGROUP_V2_H_
#define PADDOCK_WORKER_SANDBOX_CGROUP_V2_H_

#include <memory>
#include <string>
#include <vector>

#include "worker/base/unique_fd.h"
#include "worker/sandbox/cgroup.h"

namespace paddock {

// cgroup2 has every controller: the kernel's admin-guide/cgroup-v2.rst.
// `directory` is where sandboxes' groups are made.
absl::StatusOr<std::unique_ptr<CgroupFactory>> MakeCgroupV2Factory(
    UniqueFd directory, std::vector<std::string> controllers,
    const CgroupOptions& options);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_CGROUP_V2_H_
