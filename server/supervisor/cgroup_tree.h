#ifndef PADDOCK_SERVER_SUPERVISOR_CGROUP_TREE_H_
#define PADDOCK_SERVER_SUPERVISOR_CGROUP_TREE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace paddock {

// Trees of cgroup directories, by descriptors: no path is resolved twice.
// Descriptors are borrowed. The same for v1 and v2.

// Names of the groups directly below `directory`.
absl::StatusOr<std::vector<std::string>> ChildGroups(int directory);

// The processes of the group itself that our pid namespace shows.
absl::StatusOr<std::vector<int>> Members(int directory);

// SIGKILLs the members of the group and of all below it, one by one.
void KillMembers(int directory);

// One attempt to remove `parent`/`name` and everything below it.
absl::Status RemoveGroups(int parent, const std::string& name);

// Kills all that is in `parent`/`name` and below, then removes the groups;
// repeats until that worked or `timeout` has passed. With `kill_file`, a child
// group named so is killed by its cgroup.kill, also what forks just then; all
// else one by one, which takes a few rounds.
absl::Status KillAndRemoveGroups(int parent, const std::string& name,
                                 const char* kill_file_group,
                                 absl::Duration timeout);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_CGROUP_TREE_H_
