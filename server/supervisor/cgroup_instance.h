#ifndef PADDOCK_SERVER_SUPERVISOR_CGROUP_INSTANCE_H_
#define PADDOCK_SERVER_SUPERVISOR_CGROUP_INSTANCE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/internal/v1/launch.pb.h"
#include "server/supervisor/cgroup_layout.h"
#include "server/supervisor/sandboxes_limits.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// What became of the groups killed predecessors left.
struct SweepReport {
  int removed = 0;                    // instances, over all hierarchies
  std::vector<std::string> problems;  // for the log
};

// The cgroups of one running paddockd.
//
//   <base>/paddock-<id>/           in each hierarchy; v1: sandboxes right here
//   <base>/paddock-<id>/daemon     v2 with controllers: supervisor, server and
//                                  workers, because a group that gives its
//                                  controllers on can hold no process itself
//   <base>/paddock-<id>/sandboxes  v2: the workers make sandboxes' groups here
//
// So the group of all sandboxes is on v2 the last one, and on v1 the first,
// whose siblings are the processes of <base>, supervisor, server and workers.
// <id> is the pid and eight random hexadecimal digits. The instance holds a
// flock(2) on its paddock-<id> in each hierarchy. A directory whose lock is
// free belongs to a predecessor that was killed: unlike pids, locks mean the
// same in every pid namespace. Nothing but directories named as above is ever
// touched.
//
// Process: supervisor, which must have one thread. Needs: root.
class CgroupInstance {
 public:
  // Sweeps, makes the directories and moves this process into `daemon` where
  // there is one. `limits` are those of the group of all sandboxes.
  // FailedPrecondition says what the operator can do. Nothing is left on
  // failure.
  static absl::StatusOr<CgroupInstance> Create(
      const std::vector<CgroupHierarchy>& hierarchies, SweepReport* report,
      const SandboxesLimits& limits = {});

  CgroupInstance(CgroupInstance&&) = default;
  CgroupInstance& operator=(CgroupInstance&&) = default;

  // paddock-<id>.
  const std::string& name() const { return name_; }
  const internal::v1::CgroupLayout& layout() const { return layout_; }

  // Kills what is in sandboxes' groups whose names begin with `prefix`, and
  // removes them; one attempt. False if some are left.
  bool RemoveSandboxes(const std::string& prefix);

  // The normal end: this process goes back to where it was, and all groups go.
  // All other processes of ours must have ended.
  absl::Status Remove();

 private:
  struct Tree {
    CgroupHierarchy hierarchy;
    UniqueFd base;
    UniqueFd instance;  // holds the lock
    bool holds_daemon = false;
    bool gave_hugetlb = false;  // v2: enabled it for children of `base`
  };

  explicit CgroupInstance(const SandboxesLimits& limits) : limits_(limits) {}
  absl::Status AddTree(const CgroupHierarchy& hierarchy, SweepReport* report);
  absl::Status PrepareUnified(Tree* tree);
  absl::Status PrepareV1(const Tree& tree);
  absl::Status EnterDaemonGroup(Tree* tree);
  absl::Status LeaveDaemonGroup(const Tree& tree);

  SandboxesLimits limits_;
  std::string name_;
  std::vector<Tree> trees_;
  std::vector<std::string> refusals_;  // of v1 hierarchies we may not use
  internal::v1::CgroupLayout layout_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_CGROUP_INSTANCE_H_
