#ifndef PADDOCK_TESTS_UNIT_SUPERVISOR_CGROUP_PARENT_H_
#define PADDOCK_TESTS_UNIT_SUPERVISOR_CGROUP_PARENT_H_

#include <string>

#include "absl/status/statusor.h"

namespace paddock {

// A value of cgroup.parent below which this test program can make instances. On
// v1 and hybrid hosts that is "", its own groups. On v2 it is an empty group
// beside a leaf that the program moves itself to, because a group with
// controllers for others holds no processes. Both go when the program ends.
absl::StatusOr<std::string> CgroupParentForTests();

}  // namespace paddock

#endif  // PADDOCK_TESTS_UNIT_SUPERVISOR_CGROUP_PARENT_H_
