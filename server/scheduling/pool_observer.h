#ifndef PADDOCK_SERVER_SCHEDULING_POOL_OBSERVER_H_
#define PADDOCK_SERVER_SCHEDULING_POOL_OBSERVER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "paddock/internal/v1/channel.pb.h"
#include "paddock/v1/admin_service.pb.h"
#include "server/scheduling/run_queue.h"
#include "server/scheduling/worker_link.h"

namespace paddock {

// Told what happens in a WorkerPool, by the pool's thread, which holds no lock
// then. Calls must not block: runs wait meanwhile.
class PoolObserver {
 public:
  virtual ~PoolObserver() = default;
  // A warm sandbox stands in this worker.
  virtual void OnWorkerReady(const internal::v1::WorkerReady& ready) = 0;
  virtual void OnWorkerStats(const internal::v1::WorkerStats& stats) = 0;
  virtual void OnWorkerLost(int32_t slot, WorkerLoss loss,
                            const std::string& reason) = 0;
  // Whether runs are accepted: true once the first worker is ready, false when
  // there has been none for a while.
  virtual void OnAvailable(bool available) = 0;
  // The control socket is closed or speaks nonsense: nobody replaces workers
  // any more.
  virtual void OnSupervisorGone(const std::string& reason) = 0;
};

struct WorkerInfo {
  int32_t slot = 0;
  v1::WorkerState state = v1::WORKER_STATE_STARTING;
  absl::Time start_time = absl::InfinitePast();  // if there is no worker now
  int64_t processes_run = 0;
};

// A WorkerPool at one moment.
struct PoolSnapshot {
  std::vector<WorkerInfo> workers;  // one for each slot, in order
  int64_t warm_sandboxes = 0;
  size_t queue_depth[kPriorityLevels] = {};
  size_t queue_capacity = 0;
  absl::Duration queue_oldest_age;
  int64_t memory_budget_bytes = 0;
  int64_t memory_admitted_bytes = 0;  // shares of the runs that have a worker
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SCHEDULING_POOL_OBSERVER_H_
