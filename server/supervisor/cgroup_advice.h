#ifndef PADDOCK_SERVER_SUPERVISOR_CGROUP_ADVICE_H_
#define PADDOCK_SERVER_SUPERVISOR_CGROUP_ADVICE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "paddock/internal/v1/launch.pb.h"
#include "server/supervisor/cgroup_layout.h"

namespace paddock {

// Errors of a host that says no, with what an operator can do about it.

// Why no controller can be enabled below `base`, the open base of `hierarchy`:
// other processes are in it.
absl::Status BusyBase(const CgroupHierarchy& hierarchy, int base);

// Why no group can be made below the base; `status` is what mkdir(2) said.
absl::Status NotWritable(const CgroupHierarchy& hierarchy,
                         const absl::Status& status);

// Why the unified hierarchy, which no mount shows, cannot be mounted either.
absl::Status NotMountable(const absl::Status& status);

// FailedPrecondition if programs cannot be limited by what is in `layout`. That
// takes memory and pids on v2, or both on v1 with cpuacct, which v2 is never
// without. `refusals` are of v1 hierarchies that gave us no group.
absl::Status CheckControllers(const internal::v1::CgroupLayout& layout,
                              const std::vector<std::string>& refusals);

// FailedPrecondition if the host has swap, `swap_bytes` of it, and `group` has
// no `file`, which limits what programs take of that: they would get memory
// beyond their limit. Kernels before 6.1 that were started with swapaccount=0
// have none. Swap that is switched on later is not found.
absl::Status CheckSwapIsLimited(int group, const char* file,
                                int64_t swap_bytes);

// sysinfo(2); -1 if that fails.
int64_t HostSwapBytes();

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_CGROUP_ADVICE_H_
