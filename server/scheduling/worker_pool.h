#ifndef PADDOCK_SERVER_SCHEDULING_WORKER_POOL_H_
#define PADDOCK_SERVER_SCHEDULING_WORKER_POOL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "paddock/internal/v1/channel.pb.h"
#include "paddock/internal/v1/launch.pb.h"
#include "server/scheduling/pool_observer.h"
#include "server/scheduling/run.h"
#include "server/scheduling/run_queue.h"
#include "server/scheduling/worker_link.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// Theory of operation.
//   The supervisor starts workers and hands the pool one end of each worker's
//   channel through the control socket. One thread, the pool's, receives on the
//   control socket and on every channel, and keeps the time. Any thread may
//   submit and cancel; it sends to the worker itself, under the mutex, so that
//   a run reaches an idle worker without a change of threads, and a
//   cancellation never overtakes the run it is meant for. Channels are
//   non-blocking: a worker that does not read its one request is broken.
//   A worker that dies, hangs or breaks the protocol is given up: the
//   supervisor is asked to replace it, and its run goes to the front of the
//   queue, once. The second time it is lost.
//   A run starts when there is a worker for it and its share of memory is free.
//   A run's end frees both, or its worker says later that they are.
//   While no worker is up, runs wait; if that lasts, they are turned away.
class WorkerPool {
 public:
  struct Options {
    int slots = 1;  // workers the supervisor keeps up
    RunQueue::Bounds queue;
    // Of the shares of runs that have a worker, together.
    int64_t memory_budget_bytes = std::numeric_limits<int64_t>::max();
    // RunStarted must come this long after a run was sent.
    absl::Duration start_margin = absl::Seconds(10);
    // From RunStarted a run may take its wall time and this, which covers
    // killing and collecting.
    absl::Duration hang_margin = absl::Seconds(30);
    // A worker must have killed a run this long after CancelRequest.
    absl::Duration cancel_margin = absl::Seconds(10);
    // After a run its memory must be free, or have been given up by the worker
    // itself: kLongest of worker/sandbox/late_memory.cc.
    absl::Duration free_margin = absl::Seconds(150);
    // A new worker must be ready after this.
    absl::Duration ready_margin = absl::Seconds(120);
    // Without a worker for so long, runs are turned away.
    absl::Duration outage_patience = absl::Seconds(10);
  };

  // `control` stays the caller's. `observer` must outlive the pool.
  WorkerPool(Options options, int control, PoolObserver* observer);
  // Runs that have not ended are dropped without a report.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Before the first Submit. An error only if the kernel refuses epoll(7).
  absl::Status Start();

  struct Submission {
    std::optional<Refusal> refusal;
    uint64_t run_id = 0;  // if there is no refusal
  };
  // `done` is called once, by the pool's thread or a canceller's, maybe before
  // Submit returns; never if the run is refused.
  Submission Submit(RunSpec spec, std::function<void(RunReport)> done);

  // Ends a run as soon as can be. No effect on one that is not there any more.
  void Cancel(uint64_t run_id);

  PoolSnapshot Snapshot() const;
  // What the workers said when they became ready.
  internal::v1::WorkerReady Enforcement() const;
  // Whether they said that something enforces the layer `name`, or that the
  // operator allowed that nothing does. True while none was ready yet.
  bool AllowsLayer(absl::string_view name) const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  // Reports to deliver once the mutex is free.
  struct Completion {
    std::shared_ptr<Run> run;
    RunReport report;
  };
  using Completions = std::vector<Completion>;
  // Losses to tell the observer of once the mutex is free.
  struct Loss {
    int32_t slot;
    WorkerLoss loss;
    std::string reason;
  };

  // All with the mutex held.
  void Dispatch();
  bool CanStartAtOnce(const Run& run) const;
  bool StartRun(WorkerLink* link, const std::shared_ptr<Run>& run);
  std::shared_ptr<Run> TakeRun(WorkerLink* link);
  void BecomeIdle(uint64_t key);
  void Stop(const std::shared_ptr<Run>& run, RunEnd why,
            Completions* completed);
  WorkerLink* LinkOf(const Run* run);
  void Complete(const std::shared_ptr<Run>& run, RunEnd end,
                v1::ProcessResult result, Completions* completed);
  void GiveUp(uint64_t key, WorkerLoss loss, const std::string& reason,
              Completions* completed);
  void Requeue(const std::shared_ptr<Run>& run, Completions* completed);
  void WakeBefore(SteadyTime deadline);
  void TakeReady(uint64_t key, internal::v1::WorkerReady ready);
  void TakeFinished(uint64_t key, internal::v1::RunFinished finished,
                    Completions* completed);
  void CheckRuns(SteadyTime now, Completions* completed);
  void CheckLinks(SteadyTime now, Completions* completed);
  void CheckOutage(SteadyTime now, Completions* completed);
  SteadyTime NextDeadline() const;
  bool AnyReady() const;

  // The pool's thread.
  void Loop();
  int TimeoutMs();
  void ReceiveControl();
  void AddWorker(const internal::v1::WorkerStarted& started, UniqueFd channel);
  void RemoveWorker(const internal::v1::WorkerExited& exited);
  void ReceiveWorker(uint64_t key);
  bool ReceiveOne(uint64_t key, int channel);
  void TakeMessage(uint64_t key, internal::v1::WorkerMessage message);
  void KeepTime();
  // Unlocks, then delivers reports and tells of losses and availability.
  void Deliver(Lock lock, Completions completed);

  const Options options_;
  const int control_;
  PoolObserver* const observer_;
  UniqueFd epoll_;
  UniqueFd wake_;
  std::thread thread_;

  mutable std::mutex mutex_;
  bool stopping_ = false;
  uint64_t next_run_id_ = 1;
  uint64_t next_key_;
  std::map<uint64_t, WorkerLink> links_;  // by epoll key, never used twice
  std::deque<uint64_t> idle_;  // the one that has been idle longest is first
  RunQueue queue_;
  int64_t admitted_bytes_ = 0;
  std::unordered_map<uint64_t, std::shared_ptr<Run>> runs_;
  internal::v1::WorkerReady enforcement_;
  // The pool's thread looks at deadlines then; never more than a tick ahead.
  SteadyTime next_wake_;
  std::optional<SteadyTime> outage_since_;  // unset while a worker is ready
  bool available_ = false;
  bool reported_available_ = false;
  std::vector<Loss> losses_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SCHEDULING_WORKER_POOL_H_
