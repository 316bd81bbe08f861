#include "server/jobs/job_runner.h"

#include <gtest/gtest.h>

#include "server/jobs/duration.h"
#include "tests/unit/serving/scripted_worker.h"

namespace paddock {
namespace {

class CountingObserver : public JobObserver {
 public:
  void OnStarted(const JobLabel&) override { ++started; }
  std::function<void()> OnFinished(const JobLabel&,
                                   const v1::JobResult&) override {
    EXPECT_GT(started, finished);
    ++finished;
    return [this] { ++told_after; };
  }
  void OnRejected(const JobLabel&, Rejection why) override { rejected = why; }
  std::atomic<int> started = 0;
  std::atomic<int> finished = 0;
  std::atomic<int> told_after = 0;
  std::atomic<std::optional<Rejection>> rejected;
};

class JobRunnerTest : public testing::Test {
 protected:
  JobRunnerTest()
      : pool_({.slots = 2}, supervisor_.server_end(), &pool_observer_),
        runner_(&pool_, &observer_, /*inline_budget_bytes=*/1000) {
    EXPECT_TRUE(pool_.Start().ok());
  }
  ScriptedWorker StartWorker(int slot) {
    ScriptedWorker worker = supervisor_.StartReadyWorker(slot);
    EXPECT_TRUE(pool_observer_.WaitReady(++workers_));
    EXPECT_TRUE(pool_observer_.WaitAvailable(true));
    return worker;
  }
  struct Ended {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<JobEnd> end;
    JobEnd Wait() {
      std::unique_lock lock(mutex);
      if (!changed.wait_for(lock, std::chrono::seconds(10),
                            [&] { return end.has_value(); })) {
        ADD_FAILURE() << "the job did not end";
        abort();
      }
      return *end;
    }
  };
  std::shared_ptr<Job> Start(Ended* ended, v1::JobSpec spec = MakeSpec()) {
    return runner_.Start({.id = "j"}, std::move(spec), [ended](JobEnd end) {
      const std::lock_guard lock(ended->mutex);
      ended->end = std::move(end);
      ended->changed.notify_all();
    });
  }
  static v1::JobSpec MakeSpec() {
    v1::JobSpec spec;
    spec.mutable_process()->add_argv("/bin/true");
    spec.mutable_process()->set_name("only");
    spec.mutable_process()->mutable_limits()->mutable_wall_time()->set_seconds(
        60);
    return spec;
  }

  ScriptedSupervisor supervisor_;
  RecordingObserver pool_observer_;
  CountingObserver observer_;
  WorkerPool pool_;
  JobRunner runner_;
  int workers_ = 0;
};

TEST_F(JobRunnerTest, ASuccessIsDecidedByNothing) {
  ScriptedWorker worker = StartWorker(0);
  Ended ended;
  Start(&ended);
  worker.SendFinished(worker.ReceiveRun());
  const JobEnd end = ended.Wait();
  ASSERT_FALSE(end.rejection.has_value());
  EXPECT_EQ(end.result.outcome(), v1::OUTCOME_SUCCEEDED);
  EXPECT_FALSE(end.result.has_decided_by());
  EXPECT_EQ(end.result.process().name(), "only");
  EXPECT_TRUE(end.result.process().phases().has_queue());
  EXPECT_GE(FromProto(end.result.total_duration()),
            FromProto(end.result.queue_duration()));
  EXPECT_TRUE(runner_.WaitUntilIdle(absl::Seconds(5)));
  EXPECT_EQ(observer_.started, 1);
  EXPECT_EQ(observer_.finished, 1);
  EXPECT_EQ(observer_.told_after, 1);
}

TEST_F(JobRunnerTest, AFailureNamesTheRunThatDecided) {
  ScriptedWorker worker = StartWorker(0);
  Ended ended;
  Start(&ended);
  worker.SendFinished(worker.ReceiveRun(), v1::OUTCOME_SIGNALED, "why");
  const JobEnd end = ended.Wait();
  EXPECT_EQ(end.result.outcome(), v1::OUTCOME_SIGNALED);
  EXPECT_TRUE(end.result.has_decided_by());
  EXPECT_EQ(end.result.message(), "why");
}

TEST_F(JobRunnerTest, ACancelledJob) {
  ScriptedWorker worker = StartWorker(0);
  Ended ended;
  const auto job = Start(&ended);
  const uint64_t id = worker.ReceiveRun();
  runner_.Cancel(job);
  EXPECT_EQ(worker.ReceiveCancel(), id);
  worker.SendFinished(id, v1::OUTCOME_CANCELLED);
  EXPECT_EQ(ended.Wait().result.outcome(), v1::OUTCOME_CANCELLED);
}

TEST_F(JobRunnerTest, TimeoutsAreOutcomes) {
  ScriptedWorker worker = StartWorker(0);
  Ended killed, never_started;
  v1::JobSpec timeout = MakeSpec(), queue_timeout = MakeSpec();
  timeout.mutable_timeout()->set_nanos(150'000'000);
  queue_timeout.mutable_queue_timeout()->set_nanos(30'000'000);
  Start(&killed, timeout);
  Start(&never_started, queue_timeout);
  const JobEnd second = never_started.Wait();
  EXPECT_EQ(second.result.outcome(), v1::OUTCOME_QUEUE_TIMEOUT);
  EXPECT_EQ(second.result.process().outcome(), v1::OUTCOME_QUEUE_TIMEOUT);
  EXPECT_FALSE(second.result.message().empty());
  const uint64_t id = worker.ReceiveRun();
  EXPECT_EQ(worker.ReceiveCancel(), id);
  worker.SendFinished(id, v1::OUTCOME_CANCELLED);
  EXPECT_EQ(killed.Wait().result.outcome(), v1::OUTCOME_JOB_TIMEOUT);
}

TEST_F(JobRunnerTest, AJobThatTwoWorkersDiedOfIsOurFault) {
  ScriptedWorker first = StartWorker(0), second = StartWorker(1);
  Ended ended;
  Start(&ended);
  first.ReceiveRun();
  first.Die();
  second.ReceiveRun();
  second.Die();
  const JobEnd end = ended.Wait();
  ASSERT_FALSE(end.rejection.has_value());
  EXPECT_EQ(end.result.outcome(), v1::OUTCOME_INFRASTRUCTURE_ERROR);
  EXPECT_FALSE(end.result.message().empty());
}

TEST_F(JobRunnerTest, WithoutAWorkerItIsRejected) {
  Ended ended;
  Start(&ended);
  EXPECT_EQ(ended.Wait().rejection, Rejection::kNoWorkers);
  EXPECT_EQ(observer_.started, 0);
}

TEST_F(JobRunnerTest, DrainingRefusesTheNewAndFinishesTheOld) {
  ScriptedWorker worker = StartWorker(0);
  Ended old, fresh;
  Start(&old);
  runner_.RefuseNew();
  Start(&fresh);
  EXPECT_EQ(fresh.Wait().rejection, Rejection::kDraining);
  EXPECT_FALSE(runner_.WaitUntilIdle(absl::Milliseconds(20)));
  worker.SendFinished(worker.ReceiveRun());
  EXPECT_EQ(old.Wait().result.outcome(), v1::OUTCOME_SUCCEEDED);
  EXPECT_TRUE(runner_.WaitUntilIdle(absl::Seconds(5)));
}

TEST_F(JobRunnerTest, KillAllEndsWhatRunsAndWhatWaits) {
  ScriptedWorker worker = StartWorker(0);
  Ended running, waiting;
  Start(&running);
  Start(&waiting);
  const uint64_t id = worker.ReceiveRun();
  runner_.KillAll();
  EXPECT_EQ(waiting.Wait().rejection, Rejection::kDraining);
  EXPECT_EQ(worker.ReceiveCancel(), id);
  worker.SendFinished(id, v1::OUTCOME_CANCELLED);
  EXPECT_EQ(running.Wait().rejection, Rejection::kDraining);
  EXPECT_TRUE(runner_.WaitUntilIdle(absl::Seconds(5)));
}

}  // namespace
}  // namespace paddock
