// Runs wait for memory as they wait for a worker.
#include <gtest/gtest.h>

#include <limits>

#include "server/scheduling/memory_share.h"
#include "server/scheduling/worker_pool.h"
#include "tests/unit/serving/scripted_worker.h"

namespace paddock {
namespace {

constexpr int64_t kBudget = 1000;

RunSpec MakeRunOf(int64_t memory_bytes,
                  v1::Priority priority = v1::PRIORITY_NORMAL) {
  RunSpec spec = MakeRun();
  spec.process.mutable_limits()->set_memory_bytes(memory_bytes);
  spec.priority = priority;
  return spec;
}

TEST(MemoryShareTest, LimitsAndEveryCopyOfTheInputs) {
  v1::Process process;
  process.mutable_limits()->set_memory_bytes(100);
  EXPECT_EQ(MemoryShare(process), 100);
  process.mutable_limits()->set_workspace_bytes(20);
  EXPECT_EQ(MemoryShare(process), 120);
  process.mutable_stdin()->set_data("12");
  process.add_inputs()->mutable_source()->set_data("345");
  process.add_inputs()->mutable_source()->set_text("6");
  EXPECT_EQ(MemoryShare(process), 120 + 6 * kInputCopies);
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  process.mutable_limits()->set_memory_bytes(kMost);
  process.mutable_limits()->set_workspace_bytes(kMost);
  EXPECT_EQ(MemoryShare(process), kMost);
}

class MemoryAdmissionTest : public testing::Test {
 protected:
  void StartPool(int workers, absl::Duration patience = absl::Hours(1)) {
    pool_ = std::make_unique<WorkerPool>(
        WorkerPool::Options{.slots = workers,
                            .queue = {.capacity = 3, .patience = patience},
                            .memory_budget_bytes = kBudget},
        supervisor_.server_end(), &observer_);
    ASSERT_TRUE(pool_->Start().ok());
    for (int slot = 0; slot < workers; ++slot) {
      workers_.push_back(supervisor_.StartReadyWorker(slot));
      ASSERT_TRUE(observer_.WaitReady(slot + 1));
    }
    ASSERT_TRUE(observer_.WaitAvailable(true));
  }
  uint64_t Submit(RunSpec spec) {
    reports_.emplace_back();
    const auto submission =
        pool_->Submit(std::move(spec), reports_.back().Taker());
    EXPECT_FALSE(submission.refusal.has_value());
    return submission.run_id;
  }
  // The longest-idle worker is first, so runs go round.
  uint64_t RunOf(int worker) { return workers_[worker].ReceiveRun(); }
  void ExpectNothingFor(int worker) {
    EXPECT_FALSE(workers_[worker].HasMessage(absl::Milliseconds(50)));
  }
  void Finish(int worker, uint64_t run) { workers_[worker].SendFinished(run); }
  int64_t Admitted() { return pool_->Snapshot().memory_admitted_bytes; }

  ScriptedSupervisor supervisor_;
  RecordingObserver observer_;
  std::vector<ScriptedWorker> workers_;
  std::deque<PendingReport> reports_;
  std::unique_ptr<WorkerPool> pool_;
};

TEST_F(MemoryAdmissionTest, WhatFitsToTheLastByteRunsAtOnce) {
  StartPool(2);
  const uint64_t first = Submit(MakeRunOf(600));
  const uint64_t second = Submit(MakeRunOf(400));
  EXPECT_EQ(RunOf(0), first);
  EXPECT_EQ(RunOf(1), second);
  EXPECT_EQ(Admitted(), kBudget);
  EXPECT_EQ(pool_->Snapshot().memory_budget_bytes, kBudget);
}

TEST_F(MemoryAdmissionTest, OneByteMoreWaitsForTheFirstToEnd) {
  StartPool(2);
  const uint64_t first = Submit(MakeRunOf(600));
  const uint64_t second = Submit(MakeRunOf(401));
  EXPECT_EQ(RunOf(0), first);
  ExpectNothingFor(1);
  EXPECT_EQ(Admitted(), 600);
  Finish(0, first);
  EXPECT_EQ(RunOf(1), second);
  EXPECT_EQ(Admitted(), 401);
  Finish(1, second);
  reports_.back().Wait();
  EXPECT_EQ(Admitted(), 0);
}

TEST_F(MemoryAdmissionTest, MemoryOfALostWorkersRunIsFreeAgain) {
  StartPool(2);
  const uint64_t first = Submit(MakeRunOf(600));
  EXPECT_EQ(RunOf(0), first);
  workers_[0].Die();
  EXPECT_EQ(RunOf(1), first);  // again, and alone
  EXPECT_EQ(Admitted(), 600);
  workers_[1].Die();
  EXPECT_EQ(reports_.back().Wait().end, RunEnd::kLost);
  EXPECT_EQ(Admitted(), 0);
}

internal::v1::WorkerMessage FinishedButHolding(uint64_t run) {
  internal::v1::WorkerMessage message;
  message.mutable_finished()->set_run_id(run);
  message.mutable_finished()->set_memory_held(true);
  message.mutable_finished()->mutable_result()->set_outcome(
      v1::OUTCOME_SUCCEEDED);
  return message;
}

internal::v1::WorkerMessage MemoryFree() {
  internal::v1::WorkerMessage message;
  message.mutable_memory_free();
  return message;
}

TEST_F(MemoryAdmissionTest, MemoryThatIsHeldIsNobodyElses) {
  StartPool(2);
  const uint64_t first = Submit(MakeRunOf(600));
  EXPECT_EQ(RunOf(0), first);
  workers_[0].Send(FinishedButHolding(first));
  EXPECT_EQ(reports_.back().Wait().end, RunEnd::kFinished);
  EXPECT_EQ(Admitted(), 600);
  EXPECT_EQ(pool_->Snapshot().workers[0].state, v1::WORKER_STATE_BUSY);
  const uint64_t large = Submit(MakeRunOf(401));
  ExpectNothingFor(0);
  ExpectNothingFor(1);
  workers_[0].Send(MemoryFree());
  EXPECT_EQ(RunOf(1), large);
  EXPECT_EQ(Admitted(), 401);
  const uint64_t next = Submit(MakeRunOf(1));
  EXPECT_EQ(RunOf(0), next) << "it is idle again";
}

TEST_F(MemoryAdmissionTest, MemoryHeldByALostWorkerIsFreeAgain) {
  StartPool(2);
  const uint64_t first = Submit(MakeRunOf(600));
  EXPECT_EQ(RunOf(0), first);
  workers_[0].Send(FinishedButHolding(first));
  reports_.back().Wait();
  workers_[0].Die();
  ASSERT_EQ(observer_.WaitLosses(1).size(), 1);
  EXPECT_EQ(Admitted(), 0);
}

TEST_F(MemoryAdmissionTest, OnlyWhatIsHeldCanBeFreed) {
  StartPool(2);
  const uint64_t first = Submit(MakeRunOf(600));
  EXPECT_EQ(RunOf(0), first);
  workers_[0].Send(MemoryFree());
  const auto losses = observer_.WaitLosses(1);
  ASSERT_EQ(losses.size(), 1);
  EXPECT_EQ(losses[0].second, WorkerLoss::kProtocolError);
}

TEST_F(MemoryAdmissionTest, WhatCanNeverFitRunsAlone) {
  StartPool(2);
  const uint64_t first = Submit(MakeRunOf(1));
  const uint64_t huge = Submit(MakeRunOf(10 * kBudget));
  EXPECT_EQ(RunOf(0), first);
  ExpectNothingFor(1);
  Finish(0, first);
  EXPECT_EQ(RunOf(1), huge);
}

TEST_F(MemoryAdmissionTest, SmallRunsOvertakeALargeOneInItsPatience) {
  StartPool(2, /*patience=*/absl::Hours(1));
  const uint64_t first = Submit(MakeRunOf(600));
  const uint64_t large = Submit(MakeRunOf(kBudget));
  const uint64_t small = Submit(MakeRunOf(300));
  EXPECT_EQ(RunOf(0), first);
  EXPECT_EQ(RunOf(1), small);
  Finish(0, first);
  ExpectNothingFor(0);
  Finish(1, small);
  EXPECT_EQ(RunOf(0), large);
}

TEST_F(MemoryAdmissionTest, AfterItsPatienceALargeRunIsNext) {
  StartPool(2, /*patience=*/absl::ZeroDuration());
  const uint64_t first = Submit(MakeRunOf(600));
  const uint64_t large = Submit(MakeRunOf(kBudget));
  const uint64_t small = Submit(MakeRunOf(300));
  const uint64_t urgent = Submit(MakeRunOf(300, v1::PRIORITY_HIGH));
  EXPECT_EQ(RunOf(0), first);
  EXPECT_EQ(RunOf(1), urgent) << "higher priorities do not wait behind it";
  Finish(1, urgent);
  ExpectNothingFor(1);
  Finish(0, first);
  EXPECT_EQ(RunOf(1), large);
  ExpectNothingFor(0);
  Finish(1, large);
  EXPECT_EQ(RunOf(0), small);
}

TEST_F(MemoryAdmissionTest, WhenWhatWasWaitedForGoesOthersStart) {
  StartPool(2, /*patience=*/absl::ZeroDuration());
  const uint64_t first = Submit(MakeRunOf(600));
  EXPECT_EQ(RunOf(0), first);
  const uint64_t large = Submit(MakeRunOf(kBudget));
  const uint64_t small = Submit(MakeRunOf(300));
  ExpectNothingFor(1);
  pool_->Cancel(large);
  EXPECT_EQ(RunOf(1), small);
  Finish(1, small);
  // The same, when it is given up by its queue_timeout.
  RunSpec impatient = MakeRunOf(kBudget);
  impatient.queue_timeout = absl::Milliseconds(30);
  Submit(impatient);
  const uint64_t next = Submit(MakeRunOf(300));
  EXPECT_EQ(RunOf(1), next);
}

TEST_F(MemoryAdmissionTest, AFullQueueRefusesThoughAWorkerIsIdle) {
  StartPool(2);
  const uint64_t first = Submit(MakeRunOf(600));
  EXPECT_EQ(RunOf(0), first);
  for (int i = 0; i < 3; ++i) Submit(MakeRunOf(kBudget));
  PendingReport refused;
  EXPECT_EQ(pool_->Submit(MakeRunOf(kBudget), refused.Taker()).refusal,
            Refusal::kQueueFull);
}

}  // namespace
}  // namespace paddock
