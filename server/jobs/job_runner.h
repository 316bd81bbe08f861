#ifndef PADDOCK_SERVER_JOBS_JOB_RUNNER_H_
#define PADDOCK_SERVER_JOBS_JOB_RUNNER_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_set>

#include "absl/time/time.h"
#include "paddock/v1/job.pb.h"
#include "paddock/v1/result.pb.h"
#include "server/jobs/job_observer.h"
#include "server/jobs/result_shape.h"
#include "server/scheduling/worker_pool.h"

namespace paddock {

// How a job ended: by a result, or, if `rejection` is set, without one.
struct JobEnd {
  std::optional<Rejection> rejection;
  v1::JobResult result;
};

class Job;

// Runs jobs of one process on a WorkerPool. Thread-safe.
class JobRunner {
 public:
  // `pool` and `observer` must outlive the runner and its jobs.
  JobRunner(WorkerPool* pool, JobObserver* observer, size_t inline_budget_bytes)
      : pool_(pool),
        observer_(observer),
        inline_budget_bytes_(inline_budget_bytes) {}
  ~JobRunner();
  JobRunner(const JobRunner&) = delete;
  JobRunner& operator=(const JobRunner&) = delete;

  // `spec` is checked, and its process complete. `done` is called once, by any
  // thread, maybe before Start returns. The returned reference is for Cancel.
  std::shared_ptr<Job> Start(JobLabel label, v1::JobSpec spec,
                             std::function<void(JobEnd)> done);
  // The client's wish: the job ends as CANCELLED, or as it ended before.
  void Cancel(const std::shared_ptr<Job>& job);

  // From now on jobs are refused.
  void RefuseNew();
  // True once no job is left, false if that takes longer than `patience`.
  bool WaitUntilIdle(absl::Duration patience);
  // Kills all jobs; they end as rejected, because the server is draining.
  void KillAll();

 private:
  void TellOfStart(const std::shared_ptr<Job>& job);
  void Finish(const std::shared_ptr<Job>& job, RunReport report);
  void Reject(const std::shared_ptr<Job>& job, Rejection why);
  void Forget(const std::shared_ptr<Job>& job);

  WorkerPool* const pool_;
  JobObserver* const observer_;
  const size_t inline_budget_bytes_;
  std::mutex mutex_;
  std::condition_variable idle_;
  bool refusing_ = false;
  std::unordered_set<std::shared_ptr<Job>> jobs_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_JOBS_JOB_RUNNER_H_
