#ifndef PADDOCK_SERVER_SCHEDULING_WORKER_LINK_H_
#define PADDOCK_SERVER_SCHEDULING_WORKER_LINK_H_

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "paddock/internal/v1/channel.pb.h"
#include "server/scheduling/run.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// The server's end of one worker's channel, and what the worker does now.
// Guarded by the pool's mutex; only the pool's thread receives on `channel`.
struct WorkerLink {
  enum class State {
    kStarting,  // WorkerReady has not come
    kIdle,
    kBusy,
    kBroken,  // a send failed; the pool's thread drops it
  };

  UniqueFd channel;
  int32_t slot = 0;
  int64_t incarnation = 0;
  State state = State::kStarting;
  absl::Time start_time;
  int64_t processes_run = 0;
  int32_t warm_sandboxes = 0;
  std::shared_ptr<Run> run;  // set while kBusy, but see held_bytes
  // The share of a run that has ended and whose memory is not free. The worker
  // is kBusy with that. 0: none.
  int64_t held_bytes = 0;
  bool run_started = false;  // RunStarted has come
  // When the worker counts as hung unless it says what is expected of it.
  SteadyTime hung_at = SteadyTime::max();
};

// Why a worker was given up. The label of a metric.
enum class WorkerLoss { kDied, kProtocolError, kHung };
const char* WorkerLossName(WorkerLoss loss);

// InvalidArgument if `link` may not send `message` now.
absl::Status CheckWorkerMessage(const WorkerLink& link,
                                const internal::v1::WorkerMessage& message);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SCHEDULING_WORKER_LINK_H_
