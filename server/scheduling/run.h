#ifndef PADDOCK_SERVER_SCHEDULING_RUN_H_
#define PADDOCK_SERVER_SCHEDULING_RUN_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "absl/time/time.h"
#include "paddock/v1/job.pb.h"
#include "paddock/v1/process.pb.h"
#include "paddock/v1/result.pb.h"
#include "worker/wire/channel.h"

namespace paddock {

// Waiting and hanging are measured on a clock nobody can set.
using SteadyTime = std::chrono::steady_clock::time_point;

// `start` + `wait`, or the end of time if that is beyond it.
inline SteadyTime AddTo(SteadyTime start, absl::Duration wait) {
  constexpr absl::Duration kForever = absl::Hours(24 * 365);
  if (wait > kForever) return SteadyTime::max();
  return start + absl::ToChronoNanoseconds(wait);
}

// One process to run, as the caller of WorkerPool gives it.
struct RunSpec {
  // Complete, as RunRequest.process says.
  v1::Process process;
  v1::Priority priority = v1::PRIORITY_NORMAL;
  // From submission to the first start.
  absl::Duration queue_timeout = absl::InfiniteDuration();
  // From the first start on.
  absl::Duration timeout = absl::InfiniteDuration();
};

enum class RunEnd {
  kFinished,      // `result` is the worker's, whatever its outcome
  kCancelled,     // by WorkerPool::Cancel
  kQueueTimeout,  // never started
  kTimeout,       // RunSpec::timeout
  kLost,          // tried twice, or no worker came for the second try
  kNoWorkers,     // never started; no worker is up, and none comes
};

struct RunReport {
  RunEnd end = RunEnd::kFinished;
  // What the worker said. Empty if it never answered.
  v1::ProcessResult result;
  // From submission to the first start; to the end if there was none.
  absl::Duration wait_for_first_start;
  // From submission to the start that `result` tells of.
  absl::Duration wait_for_last_start;
};

// Why a run was not accepted.
enum class Refusal {
  kQueueFull,
  kNoWorkers,
  kOutOfResources,  // memory or descriptors of this process
};

// A run inside the pool. Guarded by the pool's mutex.
struct Run {
  uint64_t id = 0;
  // Serialised once: sent again as it is if the first worker dies.
  EncodedMessage message;
  v1::Priority priority = v1::PRIORITY_NORMAL;
  absl::Duration timeout;
  absl::Duration wall_time;
  int64_t memory_share = 0;  // MemoryShare(), at most the pool's budget
  std::function<void(RunReport)> done;

  SteadyTime submitted;
  SteadyTime queue_deadline;
  // When a worker was free for it and memory was not; the first time.
  std::optional<SteadyTime> blocked_since;
  std::optional<SteadyTime> first_start;
  SteadyTime last_start;
  int attempts = 0;
  // Set once the run is to be killed: what its report will say.
  std::optional<RunEnd> stopped;

  // When it must have ended; the end of time before its first start.
  SteadyTime Deadline() const {
    return first_start ? AddTo(*first_start, timeout) : queue_deadline;
  }
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SCHEDULING_RUN_H_
