#ifndef PADDOCK_TESTS_SUPPORT_UNASKED_CGROUP_H_
#define PADDOCK_TESTS_SUPPORT_UNASKED_CGROUP_H_

#include <cstdlib>
#include <string>
#include <vector>

#include "worker/sandbox/cgroup.h"

namespace paddock {

// Of which nothing is asked but what a test answers: the rest ends it.
class UnaskedCgroup : public SandboxCgroup {
 public:
  int clone_fd() const override { std::abort(); }
  std::vector<int> join_fds() const override { std::abort(); }
  void CloseJoinFiles() override { std::abort(); }
  absl::Status SetLimits(const ProgramLimits&) override { std::abort(); }
  absl::StatusOr<absl::Duration> CpuTime() override { std::abort(); }
  int oom_event_fd() const override { std::abort(); }
  bool MemoryLimitMet() const override { std::abort(); }
  bool OomKilled() const override { std::abort(); }
  absl::Status KillAll() override { std::abort(); }
  absl::Status WaitEmpty(absl::Duration) override { std::abort(); }
  absl::Status Freeze(absl::Duration) override { std::abort(); }
  absl::Status Thaw() override { std::abort(); }
  absl::StatusOr<std::vector<int>> Processes() const override { std::abort(); }
  absl::StatusOr<std::vector<int>> Threads() const override { std::abort(); }
  void ReadFigures(UsageFigures*) override { std::abort(); }
  int64_t MemoryInUse() override { std::abort(); }
  int64_t SocketMemoryCharged() override { std::abort(); }
  int64_t MemoryHeld() override { std::abort(); }
  void Reclaim(int64_t) override { std::abort(); }
  absl::Status Remove() override { std::abort(); }
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_UNASKED_CGROUP_H_
