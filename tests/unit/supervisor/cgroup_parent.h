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

// A group below that parent in which nothing was enabled yet, and which itself
// has memory and pids only; goes with this. Its strings are empty where the
// unified hierarchy has no controllers.
class FreshGroup {
 public:
  FreshGroup();
  ~FreshGroup();
  // As /proc/self/cgroup has it.
  const std::string& path() const { return path_; }
  const std::string& directory() const { return directory_; }

 private:
  std::string path_;
  std::string directory_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_UNIT_SUPERVISOR_CGROUP_PARENT_H_
