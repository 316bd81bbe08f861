#ifndef PADDOCK_SERVER_SUPERVISOR_CGROUP_CONTROLLERS_H_
#define PADDOCK_SERVER_SUPERVISOR_CGROUP_CONTROLLERS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace paddock {

// Controllers of cgroup v2 and how they are given on to the groups below one.
// Directories are borrowed.

// What `directory` has itself.
absl::StatusOr<std::vector<std::string>> AvailableControllers(int directory);

// Those of `available` that each sandbox has. Not cpuset: nothing in a request
// chooses CPUs, and each controller makes each sandbox dearer.
std::vector<std::string> UsedControllers(
    const std::vector<std::string>& available);

// Gives `controllers` on to the children of `directory`.
absl::Status EnableControllers(int directory,
                               const std::vector<std::string>& controllers);

// Takes all that `directory` gives on away, as far as that works.
void DisableControllers(int directory);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_CGROUP_CONTROLLERS_H_
