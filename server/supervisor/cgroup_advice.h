#ifndef PADDOCK_SERVER_SUPERVISOR_CGROUP_ADVICE_H_
#define PADDOCK_SERVER_SUPERVISOR_CGROUP_ADVICE_H_

#include "absl/status/status.h"
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

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_CGROUP_ADVICE_H_
