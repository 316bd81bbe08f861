// A worker that looks at the clock too late: the host had no CPU for it, or it
// was taking down what an earlier program left.
#include <gtest/gtest.h>
#include <signal.h>

#include "absl/time/clock.h"
#include "tests/sandbox/worker_test.h"

namespace paddock {
namespace {

class LateLookTest : public WorkerTest {
 protected:
  // Of a program that sleeps for so long. The worker is stopped while it takes
  // down the files of another, which no signal interrupts, and goes on when two
  // of the limits have passed.
  v1::ProcessResult ResultOfSleep(const char* seconds,
                                  const v1::Limits& limit) {
    Start(WorkerProcess::NewProcess(
        {"sh", "-c",
         "i=0; while [ $i -lt 1000 ]; do : >$i; i=$((i+1)); done"}));
    EXPECT_EQ(Result().outcome(), v1::OUTCOME_SUCCEEDED);
    v1::Process process = WorkerProcess::NewProcess({"sleep", seconds});
    process.mutable_limits()->MergeFrom(limit);
    Start(process);
    kill(worker_->pid(), SIGSTOP);
    absl::SleepFor(2 * kLimit);
    kill(worker_->pid(), SIGCONT);
    return Result();
  }

  void Start(const v1::Process& process) {
    EXPECT_TRUE(worker_->Send(process).ok());
    const auto message = worker_->Receive();
    EXPECT_TRUE(message.ok() && message->has_started());
  }

  v1::ProcessResult Result() {
    const auto message = worker_->Receive();
    EXPECT_TRUE(message.ok() && message->has_finished());
    if (!message.ok()) return {};
    EXPECT_TRUE(worker_->WaitMemoryFree(*message).ok());
    return message->finished().result();
  }

  static google::protobuf::Duration Limit() {
    google::protobuf::Duration limit;
    limit.set_seconds(absl::ToInt64Seconds(kLimit));
    return limit;
  }

  static constexpr absl::Duration kLimit = absl::Seconds(1);
};

TEST_F(LateLookTest, WhoEndedWithinTheWallTimeLimitSucceeded) {
  v1::Limits limit;
  *limit.mutable_wall_time() = Limit();
  const v1::ProcessResult ended = ResultOfSleep("0.2", limit);
  EXPECT_EQ(ended.outcome(), v1::OUTCOME_SUCCEEDED);
  EXPECT_EQ(ended.limits_hit_size(), 0);
  EXPECT_LT(ended.usage().wall_time().seconds(), limit.wall_time().seconds());
  const v1::ProcessResult late = ResultOfSleep("1.4", limit);
  EXPECT_EQ(late.outcome(), v1::OUTCOME_WALL_TIME_LIMIT_EXCEEDED);
  EXPECT_GE(late.usage().wall_time().seconds(), limit.wall_time().seconds());
}

TEST_F(LateLookTest, WhoEndedWithinTheIdleTimeLimitSucceeded) {
  v1::Limits limit;
  *limit.mutable_idle_time() = Limit();
  EXPECT_EQ(ResultOfSleep("0.2", limit).outcome(), v1::OUTCOME_SUCCEEDED);
  // It runs on.
  EXPECT_EQ(ResultOfSleep("20", limit).outcome(),
            v1::OUTCOME_IDLE_LIMIT_EXCEEDED);
}

}  // namespace
}  // namespace paddock
