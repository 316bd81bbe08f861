#ifndef PADDOCK_TESTS_SUPPORT_OWN_CGROUP_H_
#define PADDOCK_TESTS_SUPPORT_OWN_CGROUP_H_

#include "absl/status/status.h"

namespace paddock {

// Moves this test program into a new cgroup where it is alone, once, on hosts
// that have cgroup v2 only: there no group may have both processes and children
// with controllers, cgroups(7), and whoever started the program stands in the
// same one. Elsewhere nothing is done. Undone when the program ends.
absl::Status EnterOwnCgroup();

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_OWN_CGROUP_H_
