#include "server/scheduling/worker_pool.h"

#include <gtest/gtest.h>

#include "tests/unit/serving/scripted_worker.h"

namespace paddock {
namespace {

class WorkerPoolTest : public testing::Test {
 protected:
  void StartPool(WorkerPool::Options options = {.slots = 2}) {
    pool_ = std::make_unique<WorkerPool>(options, supervisor_.server_end(),
                                         &observer_);
    ASSERT_TRUE(pool_->Start().ok());
  }
  ScriptedWorker StartWorker(int slot) {
    ScriptedWorker worker = supervisor_.StartReadyWorker(slot);
    EXPECT_TRUE(observer_.WaitReady(++started_));
    EXPECT_TRUE(observer_.WaitAvailable(true));
    return worker;
  }
  uint64_t Submit(PendingReport* report, RunSpec spec = MakeRun()) {
    const auto submission = pool_->Submit(std::move(spec), report->Taker());
    EXPECT_FALSE(submission.refusal.has_value());
    return submission.run_id;
  }

  ScriptedSupervisor supervisor_;
  RecordingObserver observer_;
  std::unique_ptr<WorkerPool> pool_;
  int started_ = 0;
};

TEST_F(WorkerPoolTest, WithoutAWorkerRunsAreRefused) {
  StartPool();
  PendingReport report;
  EXPECT_EQ(pool_->Submit(MakeRun(), report.Taker()).refusal,
            Refusal::kNoWorkers);
}

TEST_F(WorkerPoolTest, AnIdleWorkerGetsTheRunAndItsResultComesBack) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  PendingReport report;
  const uint64_t id = Submit(&report, MakeRun("/bin/x"));
  const auto message = worker.Receive();
  ASSERT_TRUE(message && message->has_run());
  EXPECT_EQ(message->run().run_id(), id);
  EXPECT_EQ(message->run().process().argv(0), "/bin/x");
  EXPECT_EQ(pool_->Snapshot().workers[0].state, v1::WORKER_STATE_BUSY);
  worker.SendStarted(id);
  EXPECT_FALSE(report.IsThere());
  worker.SendFinished(id, v1::OUTCOME_NONZERO_EXIT);
  EXPECT_EQ(report.Wait().end, RunEnd::kFinished);
  EXPECT_EQ(report.Wait().result.outcome(), v1::OUTCOME_NONZERO_EXIT);
  const PoolSnapshot after = pool_->Snapshot();
  EXPECT_EQ(after.workers[0].state, v1::WORKER_STATE_IDLE);
  EXPECT_EQ(after.workers[0].processes_run, 1);
  EXPECT_EQ(after.workers[1].state, v1::WORKER_STATE_STARTING);
}

TEST_F(WorkerPoolTest, ALargeRunTravelsWhole) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  RunSpec spec = MakeRun();
  const std::string data(1 << 20, 'd');
  spec.process.mutable_stdin()->set_data(data);
  PendingReport report;
  Submit(&report, spec);
  const auto message = worker.Receive();
  ASSERT_TRUE(message && message->has_run());
  EXPECT_EQ(message->run().process().stdin().data(), data);
}

TEST_F(WorkerPoolTest, WhatWaitsStartsByPriority) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  PendingReport first, low, normal, high;
  const uint64_t first_id = Submit(&first);
  ASSERT_EQ(worker.ReceiveRun(), first_id);
  RunSpec low_run = MakeRun(), high_run = MakeRun();
  low_run.priority = v1::PRIORITY_LOW;
  high_run.priority = v1::PRIORITY_HIGH;
  const uint64_t low_id = Submit(&low, low_run);
  const uint64_t normal_id = Submit(&normal);
  const uint64_t high_id = Submit(&high, high_run);
  const PoolSnapshot snapshot = pool_->Snapshot();
  for (const size_t depth : snapshot.queue_depth) EXPECT_EQ(depth, 1);
  EXPECT_GT(snapshot.queue_oldest_age, absl::ZeroDuration());
  uint64_t running = first_id;
  for (const uint64_t next : {high_id, normal_id, low_id}) {
    worker.SendFinished(running);
    EXPECT_EQ(worker.ReceiveRun(), next);
    running = next;
  }
}

TEST_F(WorkerPoolTest, AFullQueueRefusesAndARoomyOneDoesNot) {
  StartPool({.slots = 1, .queue = {.capacity = 1}});
  ScriptedWorker worker = StartWorker(0);
  PendingReport running, waiting, refused;
  const uint64_t id = Submit(&running);
  Submit(&waiting);
  EXPECT_EQ(pool_->Submit(MakeRun(), refused.Taker()).refusal,
            Refusal::kQueueFull);
  ASSERT_EQ(worker.ReceiveRun(), id);
  worker.SendFinished(id);
  running.Wait();
  worker.ReceiveRun();
  PendingReport accepted;
  Submit(&accepted);
}

TEST_F(WorkerPoolTest, WaitingLargeRunsAreBoundedTogether) {
  StartPool({.slots = 1, .queue = {.max_bytes = 1 << 20}});
  ScriptedWorker worker = StartWorker(0);
  RunSpec large = MakeRun();
  large.process.mutable_stdin()->set_data(std::string(600 << 10, 'x'));
  PendingReport running, waiting, refused;
  Submit(&running, large);  // runs, so it does not count
  Submit(&waiting, large);
  EXPECT_EQ(pool_->Submit(large, refused.Taker()).refusal, Refusal::kQueueFull);
}

TEST_F(WorkerPoolTest, CancellingAWaitingRunEndsItAtOnce) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  PendingReport running, waiting;
  const uint64_t id = Submit(&running);
  pool_->Cancel(Submit(&waiting));
  EXPECT_EQ(waiting.Wait().end, RunEnd::kCancelled);
  ASSERT_EQ(worker.ReceiveRun(), id);
  worker.SendFinished(id);
  running.Wait();
  EXPECT_FALSE(worker.HasMessage(absl::Milliseconds(50)));
}

TEST_F(WorkerPoolTest, CancellingARunTellsItsWorker) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ASSERT_EQ(worker.ReceiveRun(), id);
  pool_->Cancel(id);
  pool_->Cancel(id);  // once is enough
  EXPECT_EQ(worker.ReceiveCancel(), id);
  EXPECT_FALSE(worker.HasMessage(absl::Milliseconds(50)));
  worker.SendFinished(id, v1::OUTCOME_CANCELLED);
  EXPECT_EQ(report.Wait().end, RunEnd::kCancelled);
  pool_->Cancel(id);  // not there any more
}

TEST_F(WorkerPoolTest, ARunThatEndsBeforeItsCancellationKeepsItsResult) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ASSERT_EQ(worker.ReceiveRun(), id);
  pool_->Cancel(id);
  worker.SendFinished(id, v1::OUTCOME_SUCCEEDED);
  EXPECT_EQ(report.Wait().end, RunEnd::kFinished);
}

TEST_F(WorkerPoolTest, QueueTimeoutEndsARunThatNeverStarted) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  PendingReport running, waiting;
  Submit(&running);
  RunSpec spec = MakeRun();
  spec.queue_timeout = absl::Milliseconds(30);
  Submit(&waiting, spec);
  const RunReport report = waiting.Wait();
  EXPECT_EQ(report.end, RunEnd::kQueueTimeout);
  EXPECT_GE(report.wait_for_first_start, absl::Milliseconds(30));
  EXPECT_LT(report.wait_for_first_start, absl::Milliseconds(500));
  EXPECT_FALSE(running.IsThere());
}

TEST_F(WorkerPoolTest, QueueTimeoutDoesNotEndARunThatStarted) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  RunSpec spec = MakeRun();
  spec.queue_timeout = absl::Milliseconds(20);
  PendingReport report;
  const uint64_t id = Submit(&report, spec);
  EXPECT_EQ(worker.ReceiveRun(), id);
  EXPECT_FALSE(worker.HasMessage(absl::Milliseconds(100)));
  worker.SendFinished(id);
  EXPECT_EQ(report.Wait().end, RunEnd::kFinished);
}

TEST_F(WorkerPoolTest, TimeoutKillsARunningJob) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  RunSpec spec = MakeRun();
  spec.timeout = absl::Milliseconds(30);
  PendingReport report;
  const uint64_t id = Submit(&report, spec);
  ASSERT_EQ(worker.ReceiveRun(), id);
  EXPECT_EQ(worker.ReceiveCancel(), id);
  worker.SendFinished(id, v1::OUTCOME_CANCELLED);
  EXPECT_EQ(report.Wait().end, RunEnd::kTimeout);
}

TEST_F(WorkerPoolTest, EnforcementAndStatsAreKept) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  EXPECT_EQ(pool_->Enforcement().layers(0).layer(), "scripted");
  EXPECT_EQ(pool_->Snapshot().warm_sandboxes, 1);
  internal::v1::WorkerMessage message;
  message.mutable_stats()->set_warm_sandboxes(3);
  worker.Send(message);
  ASSERT_TRUE(observer_.WaitStats());
  PendingReport report;  // its coming back proves that the stats were taken
  const uint64_t id = Submit(&report);
  worker.SendFinished(id);
  report.Wait();
  EXPECT_EQ(pool_->Snapshot().warm_sandboxes, 3);
}

TEST_F(WorkerPoolTest, TheSupervisorHearsWhichWorkerIsUp) {
  StartPool();
  const ScriptedWorker worker = StartWorker(1);
  const internal::v1::ServerControl message = supervisor_.Receive();
  ASSERT_TRUE(message.has_worker_up());
  EXPECT_EQ(message.worker_up().slot(), 1);
  EXPECT_EQ(message.worker_up().incarnation(), worker.incarnation());
}

TEST_F(WorkerPoolTest, TheSupervisorsEndIsNoticed) {
  StartPool();
  supervisor_.Leave();
  EXPECT_TRUE(observer_.WaitSupervisorGone());
}

}  // namespace
}  // namespace paddock
