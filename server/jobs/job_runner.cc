#include "server/jobs/job_runner.h"

#include <chrono>
#include <utility>
#include <vector>

#include "server/jobs/duration.h"

namespace paddock {

class Job {
 public:
  JobLabel label;
  std::string process_name;
  ResultShape shape;
  std::function<void(JobEnd)> done;
  SteadyTime accepted;

  std::mutex mutex;        // guards what follows
  uint64_t run_id = 0;     // 0: not submitted yet
  bool cancelled = false;  // before there was a run to cancel, or after
  bool killed_by_drain = false;
  bool told_of_start = false;
};

namespace {

Rejection RejectionOf(Refusal refusal) {
  switch (refusal) {
    case Refusal::kQueueFull:
      return Rejection::kQueueFull;
    case Refusal::kNoWorkers:
      return Rejection::kNoWorkers;
    case Refusal::kOutOfResources:
      return Rejection::kOutOfResources;
  }
  return Rejection::kOutOfResources;
}

// What a run's end means for its process; the worker's outcome if it ended by
// itself.
v1::Outcome OutcomeOf(const RunReport& report) {
  switch (report.end) {
    case RunEnd::kFinished:
      return report.result.outcome();
    case RunEnd::kCancelled:
      return v1::OUTCOME_CANCELLED;
    case RunEnd::kQueueTimeout:
      return v1::OUTCOME_QUEUE_TIMEOUT;
    case RunEnd::kTimeout:
      return v1::OUTCOME_JOB_TIMEOUT;
    case RunEnd::kLost:
    case RunEnd::kNoWorkers:
      break;
  }
  return v1::OUTCOME_INFRASTRUCTURE_ERROR;
}

const char* MessageOf(RunEnd end) {
  switch (end) {
    case RunEnd::kQueueTimeout:
      return "no worker, or not enough memory, was free within queue_timeout";
    case RunEnd::kTimeout:
      return "killed at the job's timeout";
    case RunEnd::kLost:
      return "its worker died, and a second one too or no other came";
    default:
      return "";
  }
}

v1::JobResult MakeResult(const Job& job, RunReport report) {
  v1::JobResult result;
  const v1::Outcome outcome = OutcomeOf(report);
  v1::ProcessResult* process = result.mutable_process();
  *process = std::move(report.result);
  process->set_outcome(outcome);
  process->set_name(job.process_name);
  if (process->message().empty()) process->set_message(MessageOf(report.end));
  *process->mutable_phases()->mutable_queue() =
      ToProto(report.wait_for_last_start);
  ShapeResult(job.shape, process);

  result.set_outcome(process->outcome());
  if (result.outcome() != v1::OUTCOME_SUCCEEDED) result.mutable_decided_by();
  *result.mutable_queue_duration() = ToProto(report.wait_for_first_start);
  *result.mutable_total_duration() = ToProto(
      absl::FromChrono(std::chrono::steady_clock::now() - job.accepted));
  result.set_message(process->message());
  return result;
}

RunSpec MakeRunSpec(v1::JobSpec spec) {
  RunSpec run;
  run.process = std::move(*spec.mutable_process());
  run.priority = spec.priority();
  if (spec.has_queue_timeout()) {
    run.queue_timeout = FromProto(spec.queue_timeout());
  }
  if (spec.has_timeout()) run.timeout = FromProto(spec.timeout());
  return run;
}

}  // namespace

JobRunner::~JobRunner() {
  // Jobs call back into the runner.
  KillAll();
  WaitUntilIdle(absl::InfiniteDuration());
}

std::shared_ptr<Job> JobRunner::Start(JobLabel label, v1::JobSpec spec,
                                      std::function<void(JobEnd)> done) {
  auto job = std::make_shared<Job>();
  job->label = std::move(label);
  job->process_name = spec.process().name();
  job->shape = {.stdout_as_text = spec.process().stdout().prefer_text(),
                .stderr_as_text = spec.process().stderr().prefer_text(),
                .inline_budget_bytes = inline_budget_bytes_};
  job->done = std::move(done);
  job->accepted = std::chrono::steady_clock::now();
  bool refused = false;
  {
    const std::lock_guard lock(mutex_);
    refused = refusing_;
    jobs_.insert(job);
  }
  if (refused) {
    Reject(job, Rejection::kDraining);
    return job;
  }
  // The job's mutex stays free meanwhile: the run may end before this returns.
  const WorkerPool::Submission submission = pool_->Submit(
      MakeRunSpec(std::move(spec)),
      [this, job](RunReport report) { Finish(job, std::move(report)); });
  if (submission.refusal) {
    Reject(job, RejectionOf(*submission.refusal));
    return job;
  }
  TellOfStart(job);
  bool cancelled = false;
  {
    const std::lock_guard lock(job->mutex);
    job->run_id = submission.run_id;
    cancelled = job->cancelled;
  }
  if (cancelled) pool_->Cancel(submission.run_id);
  return job;
}

void JobRunner::Cancel(const std::shared_ptr<Job>& job) {
  uint64_t run_id = 0;
  {
    const std::lock_guard lock(job->mutex);
    job->cancelled = true;
    run_id = job->run_id;
  }
  if (run_id != 0) pool_->Cancel(run_id);
}

void JobRunner::RefuseNew() {
  const std::lock_guard lock(mutex_);
  refusing_ = true;
}

bool JobRunner::WaitUntilIdle(absl::Duration patience) {
  const SteadyTime deadline = AddTo(std::chrono::steady_clock::now(), patience);
  std::unique_lock lock(mutex_);
  if (deadline == SteadyTime::max()) {
    idle_.wait(lock, [&] { return jobs_.empty(); });
    return true;
  }
  return idle_.wait_until(lock, deadline, [&] { return jobs_.empty(); });
}

void JobRunner::KillAll() {
  std::vector<std::shared_ptr<Job>> jobs;
  {
    const std::lock_guard lock(mutex_);
    refusing_ = true;
    jobs.assign(jobs_.begin(), jobs_.end());
  }
  for (const std::shared_ptr<Job>& job : jobs) {
    {
      const std::lock_guard lock(job->mutex);
      job->killed_by_drain = !job->cancelled;
    }
    Cancel(job);
  }
}

void JobRunner::TellOfStart(const std::shared_ptr<Job>& job) {
  {
    const std::lock_guard lock(job->mutex);
    if (std::exchange(job->told_of_start, true)) return;
  }
  observer_->OnStarted(job->label);
}

void JobRunner::Finish(const std::shared_ptr<Job>& job, RunReport report) {
  TellOfStart(job);  // if the run was faster than Start
  bool killed_by_drain = false;
  {
    const std::lock_guard lock(job->mutex);
    killed_by_drain = job->killed_by_drain;
  }
  if (report.end == RunEnd::kNoWorkers) {
    Reject(job, Rejection::kNoWorkers);
    return;
  }
  if (report.end == RunEnd::kCancelled && killed_by_drain) {
    Reject(job, Rejection::kDraining);
    return;
  }
  JobEnd end;
  end.result = MakeResult(*job, std::move(report));
  const std::function<void()> after =
      observer_->OnFinished(job->label, end.result);
  job->done(std::move(end));
  after();
  Forget(job);
}

void JobRunner::Reject(const std::shared_ptr<Job>& job, Rejection why) {
  observer_->OnRejected(job->label, why);
  job->done({.rejection = why});
  Forget(job);
}

void JobRunner::Forget(const std::shared_ptr<Job>& job) {
  const std::lock_guard lock(mutex_);
  jobs_.erase(job);
  // Under the mutex: whoever waits may destroy the runner right after.
  if (jobs_.empty()) idle_.notify_all();
}

}  // namespace paddock
