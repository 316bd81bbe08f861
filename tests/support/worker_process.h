#ifndef PADDOCK_TESTS_SUPPORT_WORKER_PROCESS_H_
#define PADDOCK_TESTS_SUPPORT_WORKER_PROCESS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "paddock/internal/v1/channel.pb.h"
#include "paddock/internal/v1/launch.pb.h"
#include "server/supervisor/cgroup_instance.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// The real paddock-worker with the test in the server's and the supervisor's
// place: it has cgroups of its own, and whatever the test sends on its channel.
// Needs root.
class WorkerProcess {
 public:
  // `path` of the binary. Returns once the worker said that it is ready.
  // `limits` are those of all sandboxes.
  static absl::StatusOr<std::unique_ptr<WorkerProcess>> Start(
      const SandboxesLimits& limits = {});
  // Another in the cgroups of this one, which must outlive it.
  absl::StatusOr<std::unique_ptr<WorkerProcess>> StartBeside();
  ~WorkerProcess();

  pid_t pid() const { return pid_; }
  int channel() const { return channel_.get(); }
  const internal::v1::WorkerReady& ready() const { return ready_; }
  const internal::v1::CgroupLayout& layout() const {
    return cgroups_->layout();
  }

  // The operator's maximum of every limit; all are generous.
  static v1::Limits MaxLimits();
  // A complete process that runs `argv` under these, but for idle_time, which
  // is unset.
  static v1::Process NewProcess(const std::vector<std::string>& argv);

  // Sends a run and waits for its end, and until its memory is free.
  absl::StatusOr<v1::ProcessResult> Run(const v1::Process& process);
  // Sends a run only; its id.
  absl::StatusOr<uint64_t> Send(const v1::Process& process);
  // The next run gets the id of the last.
  void RepeatRunId() { --next_run_; }
  // Of the WorkerStats received so far: sandboxes that could not be built.
  int setup_failures() const { return setup_failures_; }
  // The next message but WorkerStats.
  absl::StatusOr<internal::v1::WorkerMessage> Receive();

  // After `finished`, if that says that memory is held.
  absl::Status WaitMemoryFree(const internal::v1::WorkerMessage& finished);

  // Waits until the worker has ended; its wait status.
  absl::StatusOr<int> WaitForEnd();
  // Lets go of the server's end of the channel.
  void CloseChannel() { channel_.Reset(); }

  // Names of sandboxes' groups that exist now, over all hierarchies.
  std::vector<std::string> LivingGroups() const;

 private:
  WorkerProcess() = default;
  absl::Status Spawn();
  absl::Status WaitReady();

  std::shared_ptr<CgroupInstance> cgroups_;
  bool is_beside_ = false;
  UniqueFd channel_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  uint64_t next_run_ = 1;
  int setup_failures_ = 0;
  internal::v1::WorkerReady ready_;
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SUPPORT_WORKER_PROCESS_H_
