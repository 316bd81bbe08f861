#ifndef PADDOCK_WORKER_WORKER_LOOP_H_
#define PADDOCK_WORKER_WORKER_LOOP_H_

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "paddock/config/v1/config.pb.h"
#include "paddock/internal/v1/channel.pb.h"
#include "worker/base/unique_fd.h"
#include "worker/sandbox/late_memory.h"
#include "worker/sandbox/sandbox.h"

namespace paddock {

// One worker's life: build sandboxes while there is nothing to do, run one
// program at a time, take dead sandboxes down. One thread.
class WorkerLoop {
 public:
  WorkerLoop(UniqueFd channel, const config::v1::Config& config,
             SandboxFactory factory);

  // Returns OK when the server closed the channel, an error when the worker
  // cannot go on: the supervisor then starts another.
  absl::Status Run();

 private:
  absl::Status SendReady();
  // As Run, from the first warm sandbox on.
  absl::Status Serve();
  bool ChannelReadable(absl::Duration timeout) const;
  // One piece of work for the next request. False: there is none.
  absl::StatusOr<bool> DoIdleWork();
  absl::Status BuildWarm();
  void CountSetupFailure(init::SetupStep step);
  // Whether the next request has to wait for dead sandboxes, or for memory that
  // the kernel has not freed of those that were taken down.
  bool TooMuchIsDead() const;
  void Bury(DeadSandbox sandbox);
  void TearDownOne();
  void LookAtLateMemory();
  // A moment of waiting for it; less if the server's end is closed.
  void AwaitLateMemory();
  absl::Status SendStats();

  absl::Status HandleMessage();
  absl::Status HandleRun(internal::v1::RunRequest* request);
  absl::StatusOr<WarmSandbox> TakeWarm(const SandboxKind& kind);
  absl::Status SendFinished(uint64_t run_id, v1::ProcessResult result,
                            bool memory_held);
  // Reads the channel during a run; true if it is to be killed.
  bool CancelledDuringRun(uint64_t run_id);

  UniqueFd channel_;
  const config::v1::Config& config_;
  SandboxFactory factory_;
  // What the next warm sandbox is built for: what was asked for last.
  SandboxKind expected_;
  // Of the last request: the next one probably has the same.
  std::optional<ProgramLimits> expected_limits_;
  bool cpus_degraded_ = false;  // CgroupMechanisms has it
  std::deque<WarmSandbox> warm_;
  struct Dead {
    DeadSandbox sandbox;
    int64_t held_bytes;  // as it was buried: the kernel frees some things late
  };
  std::deque<Dead> dead_;
  int64_t dead_bytes_ = 0;  // that they hold together
  LateMemory late_;
  internal::v1::WorkerMessage stats_;
  bool stats_changed_ = true;
  bool first_build_ = true;
  int build_failures_in_a_row_ = 0;
  bool channel_closed_ = false;
  absl::Status protocol_error_;  // of what came while a program ran
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_WORKER_LOOP_H_
