// Workers that die, hang or lie.
#include <gtest/gtest.h>

#include <thread>

#include "server/scheduling/worker_pool.h"
#include "tests/support/time_scale.h"
#include "tests/unit/serving/scripted_worker.h"

namespace paddock {
namespace {

using testing::Test;

class WorkerLossTest : public Test {
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
  void ExpectReplaced(const ScriptedWorker& worker, WorkerLoss loss) {
    const internal::v1::ReplaceWorker replace = supervisor_.ReceiveReplace();
    EXPECT_EQ(replace.slot(), worker.slot());
    EXPECT_EQ(replace.incarnation(), worker.incarnation());
    EXPECT_FALSE(replace.reason().empty());
    const auto losses = observer_.WaitLosses(++lost_);
    ASSERT_EQ(losses.size(), lost_);
    EXPECT_EQ(losses.back(), std::make_pair(worker.slot(), loss));
  }
  // Gives `worker` a run, lets it say `lie`, and expects that it is replaced
  // and the run goes to another.
  void ExpectThrownOut(
      const std::function<void(ScriptedWorker*, uint64_t)>& lie) {
    StartPool();
    ScriptedWorker liar = StartWorker(0);
    PendingReport report;
    const uint64_t id = Submit(&report);
    ASSERT_EQ(liar.ReceiveRun(), id);
    lie(&liar, id);
    ExpectReplaced(liar, WorkerLoss::kProtocolError);
    EXPECT_FALSE(report.IsThere());
    ScriptedWorker honest = StartWorker(1);
    ASSERT_EQ(honest.ReceiveRun(), id);
    honest.SendFinished(id);
    EXPECT_EQ(report.Wait().end, RunEnd::kFinished);
  }

  ScriptedSupervisor supervisor_;
  RecordingObserver observer_;
  std::unique_ptr<WorkerPool> pool_;
  int started_ = 0;
  size_t lost_ = 0;
};

TEST_F(WorkerLossTest, TheRunOfADeadWorkerGoesToAnother) {
  StartPool();
  ScriptedWorker first = StartWorker(0);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ASSERT_EQ(first.ReceiveRun(), id);
  first.SendStarted(id);
  ScriptedWorker second = StartWorker(1);
  first.Die();
  ExpectReplaced(first, WorkerLoss::kDied);
  ASSERT_EQ(second.ReceiveRun(), id);
  second.SendStarted(id);
  second.SendFinished(id);
  const RunReport end = report.Wait();
  EXPECT_EQ(end.end, RunEnd::kFinished);
  EXPECT_GT(end.wait_for_last_start, end.wait_for_first_start);
}

TEST_F(WorkerLossTest, TheSecondTimeItIsLost) {
  StartPool();
  ScriptedWorker first = StartWorker(0);
  ScriptedWorker second = StartWorker(1);
  PendingReport report;
  Submit(&report);
  first.ReceiveRun();
  first.Die();
  second.ReceiveRun();
  EXPECT_FALSE(report.IsThere());
  second.Die();
  EXPECT_EQ(report.Wait().end, RunEnd::kLost);
}

TEST_F(WorkerLossTest, AResultSentJustBeforeDeathCounts) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ASSERT_EQ(worker.ReceiveRun(), id);
  worker.SendFinished(id);
  worker.Die();
  EXPECT_EQ(report.Wait().end, RunEnd::kFinished);
}

TEST_F(WorkerLossTest, ADeadIdleWorkerCostsNoAttempt) {
  StartPool();
  for (int round = 0; round < 3; ++round) {
    ScriptedWorker dead = StartWorker(0);
    ScriptedWorker alive = StartWorker(1);
    PendingReport report;
    dead.Die();
    const uint64_t id = Submit(&report);  // maybe to the dead one first
    ASSERT_EQ(alive.ReceiveRun(), id);
    alive.SendFinished(id);
    EXPECT_EQ(report.Wait().end, RunEnd::kFinished);
    alive.Die();
    lost_ += 2;
    observer_.WaitLosses(lost_);
  }
}

TEST_F(WorkerLossTest, ACancelledRunOfADeadWorkerIsNotTriedAgain) {
  StartPool();
  ScriptedWorker first = StartWorker(0);
  ScriptedWorker second = StartWorker(1);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ASSERT_EQ(first.ReceiveRun(), id);
  pool_->Cancel(id);
  first.Die();
  EXPECT_EQ(report.Wait().end, RunEnd::kCancelled);
  EXPECT_FALSE(second.HasMessage(absl::Milliseconds(50)));
}

TEST_F(WorkerLossTest, AFailedSandboxIsTriedOnceElsewhere) {
  StartPool();
  ScriptedWorker first = StartWorker(0);
  ScriptedWorker second = StartWorker(1);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ASSERT_EQ(first.ReceiveRun(), id);
  first.SendFinished(id, v1::OUTCOME_INFRASTRUCTURE_ERROR, "first");
  ASSERT_EQ(second.ReceiveRun(), id);
  second.SendFinished(id, v1::OUTCOME_INFRASTRUCTURE_ERROR, "second");
  const RunReport end = report.Wait();
  EXPECT_EQ(end.end, RunEnd::kFinished);
  EXPECT_EQ(end.result.outcome(), v1::OUTCOME_INFRASTRUCTURE_ERROR);
  EXPECT_EQ(end.result.message(), "second");
}

TEST_F(WorkerLossTest, RunsWaitForAWorkerThatIsReplaced) {
  StartPool({.slots = 1});
  ScriptedWorker first = StartWorker(0);
  first.Die();
  ExpectReplaced(first, WorkerLoss::kDied);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ScriptedWorker second = StartWorker(0);
  EXPECT_EQ(second.ReceiveRun(), id);
}

TEST_F(WorkerLossTest, WithoutAWorkerForLongRunsAreTurnedAway) {
  StartPool({.slots = 1, .outage_patience = Scaled(absl::Milliseconds(50))});
  ScriptedWorker first = StartWorker(0);
  first.Die();
  ExpectReplaced(first, WorkerLoss::kDied);
  PendingReport waiting, refused;
  Submit(&waiting);
  EXPECT_EQ(waiting.Wait().end, RunEnd::kNoWorkers);
  EXPECT_TRUE(observer_.WaitAvailable(false));
  EXPECT_EQ(pool_->Submit(MakeRun(), refused.Taker()).refusal,
            Refusal::kNoWorkers);
  StartWorker(0);  // and all is well again
  PendingReport accepted;
  Submit(&accepted);
}

TEST_F(WorkerLossTest, WithoutASecondWorkerForLongARunIsLost) {
  StartPool({.slots = 1, .outage_patience = absl::Milliseconds(50)});
  ScriptedWorker only = StartWorker(0);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ASSERT_EQ(only.ReceiveRun(), id);
  only.SendStarted(id);
  only.Die();
  ExpectReplaced(only, WorkerLoss::kDied);
  EXPECT_EQ(report.Wait().end, RunEnd::kLost);
}

TEST_F(WorkerLossTest, AnExitThatTheSupervisorTellsCounts) {
  StartPool();
  ScriptedWorker worker = StartWorker(0);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ASSERT_EQ(worker.ReceiveRun(), id);
  // Its channel stays open: somebody else holds it.
  supervisor_.TellExited(worker);
  ExpectReplaced(worker, WorkerLoss::kDied);
  ScriptedWorker other = StartWorker(1);
  EXPECT_EQ(other.ReceiveRun(), id);
}

TEST_F(WorkerLossTest, AWorkerThatDoesNotStartItsRunIsHung) {
  StartPool({.slots = 2, .start_margin = absl::Milliseconds(50)});
  ScriptedWorker hung = StartWorker(0);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ASSERT_EQ(hung.ReceiveRun(), id);
  ExpectReplaced(hung, WorkerLoss::kHung);
  ScriptedWorker other = StartWorker(1);
  EXPECT_EQ(other.ReceiveRun(), id);
}

TEST_F(WorkerLossTest, AWorkerThatDoesNotEndItsRunIsHung) {
  StartPool({.slots = 2, .hang_margin = absl::Milliseconds(50)});
  ScriptedWorker hung = StartWorker(0);
  RunSpec spec = MakeRun();
  spec.process.mutable_limits()->mutable_wall_time()->set_seconds(0);
  spec.process.mutable_limits()->mutable_wall_time()->set_nanos(10'000'000);
  PendingReport report;
  const uint64_t id = Submit(&report, spec);
  ASSERT_EQ(hung.ReceiveRun(), id);
  hung.SendStarted(id);
  ExpectReplaced(hung, WorkerLoss::kHung);
}

TEST_F(WorkerLossTest, AWorkerThatIgnoresACancellationIsHung) {
  StartPool({.slots = 2, .cancel_margin = absl::Milliseconds(50)});
  ScriptedWorker hung = StartWorker(0);
  PendingReport report;
  const uint64_t id = Submit(&report);
  ASSERT_EQ(hung.ReceiveRun(), id);
  hung.SendStarted(id);
  pool_->Cancel(id);
  ExpectReplaced(hung, WorkerLoss::kHung);
  EXPECT_EQ(report.Wait().end, RunEnd::kCancelled);
}

TEST_F(WorkerLossTest, AWorkerThatNeverGetsReadyIsHung) {
  StartPool({.slots = 2, .ready_margin = absl::Milliseconds(50)});
  const ScriptedWorker hung = supervisor_.StartWorker(0);
  ExpectReplaced(hung, WorkerLoss::kHung);
}

TEST_F(WorkerLossTest, AWorkerThatDoesNotReadDoesNotBlockTheServer) {
  StartPool();
  ScriptedWorker deaf = StartWorker(0);
  // It answers runs without reading them, until its socket is full.
  constexpr int kMoreThanASocketHolds = 5000;
  for (int i = 0; i < kMoreThanASocketHolds; ++i) {
    PendingReport report;
    const uint64_t id = Submit(&report);
    deaf.SendFinished(id);
    while (!report.IsThere() && observer_.WaitLosses(0).empty()) {
      std::this_thread::yield();
    }
    if (!report.IsThere()) break;
  }
  ExpectReplaced(deaf, WorkerLoss::kDied);
}

TEST_F(WorkerLossTest, WrongRunIdOfAResult) {
  ExpectThrownOut([](ScriptedWorker* worker, uint64_t id) {
    worker->SendFinished(id + 1);
  });
}

TEST_F(WorkerLossTest, WrongRunIdOfAStart) {
  ExpectThrownOut(
      [](ScriptedWorker* worker, uint64_t id) { worker->SendStarted(id + 1); });
}

TEST_F(WorkerLossTest, TwoStarts) {
  ExpectThrownOut([](ScriptedWorker* worker, uint64_t id) {
    worker->SendStarted(id);
    worker->SendStarted(id);
  });
}

TEST_F(WorkerLossTest, ReadyTwice) {
  ExpectThrownOut(
      [](ScriptedWorker* worker, uint64_t) { worker->SendReady(); });
}

TEST_F(WorkerLossTest, NoOutcome) {
  ExpectThrownOut([](ScriptedWorker* worker, uint64_t id) {
    worker->SendFinished(id, v1::OUTCOME_UNSPECIFIED);
  });
}

TEST_F(WorkerLossTest, BytesThatAreNoMessage) {
  ExpectThrownOut(
      [](ScriptedWorker* worker, uint64_t) { worker->SendBytes("nonsense"); });
}

TEST_F(WorkerLossTest, AnEmptyMessage) {
  ExpectThrownOut([](ScriptedWorker* worker, uint64_t) { worker->Send({}); });
}

TEST_F(WorkerLossTest, AMessageThatIsTooLarge) {
  ExpectThrownOut([](ScriptedWorker* worker, uint64_t) {
    worker->SendBytes("I" + std::string(kMaxInlineBytes + 1, 'x'));
  });
}

TEST_F(WorkerLossTest, StatsBeforeReady) {
  StartPool();
  ScriptedWorker worker = supervisor_.StartWorker(0);
  internal::v1::WorkerMessage message;
  message.mutable_stats()->set_warm_sandboxes(1);
  worker.Send(message);
  ExpectReplaced(worker, WorkerLoss::kProtocolError);
}

}  // namespace
}  // namespace paddock
