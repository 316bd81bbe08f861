// A server that was taken over can start more than fits. The group of all
// sandboxes then has a limit of its own, and what is killed for it is not
// blamed on the program's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/worker_process.h"

namespace paddock {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kTotal = 160 * kMiB;

class TotalMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    auto worker = WorkerProcess::Start({.memory_bytes = kTotal});
    ASSERT_TRUE(worker.ok()) << worker.status();
    worker_ = *std::move(worker);
  }

  // Takes so much memory, holds it for a moment and ends well.
  static v1::Process Hog(int megabytes, int64_t limit) {
    v1::Process process = WorkerProcess::NewProcess(
        {"python3", "-c",
         absl::StrCat("import time; x = bytearray(", megabytes,
                      " << 20); time.sleep(0.3)")});
    process.mutable_limits()->set_memory_bytes(limit);
    return process;
  }

  v1::ProcessResult Run(const v1::Process& process) {
    const auto result = worker_->Run(process);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : v1::ProcessResult();
  }

  std::unique_ptr<WorkerProcess> worker_;
};

TEST_F(TotalMemoryTest, JustBelowItAProgramRuns) {
  EXPECT_EQ(Run(Hog(120, 512 * kMiB)).outcome(), v1::OUTCOME_SUCCEEDED);
}

TEST_F(TotalMemoryTest, BeyondItAProgramIsKilledForNoFaultOfItsOwn) {
  const v1::ProcessResult result = Run(Hog(300, 512 * kMiB));
  EXPECT_EQ(result.outcome(), v1::OUTCOME_INFRASTRUCTURE_ERROR);
  EXPECT_THAT(result.message(), testing::HasSubstr("below its own limit"));
  // The worker is as good as before.
  EXPECT_EQ(Run(Hog(10, 64 * kMiB)).outcome(), v1::OUTCOME_SUCCEEDED);
}

TEST_F(TotalMemoryTest, ItsOwnLimitIsStillItsOwn) {
  EXPECT_EQ(Run(Hog(120, 64 * kMiB)).outcome(),
            v1::OUTCOME_MEMORY_LIMIT_EXCEEDED);
}

TEST_F(TotalMemoryTest, WhoeverTakesLittleGoesOn) {
  auto beside = worker_->StartBeside();
  ASSERT_TRUE(beside.ok()) << beside.status();
  v1::Process sleeper = WorkerProcess::NewProcess({"sleep", "3"});
  ASSERT_TRUE((*beside)->Send(sleeper).ok());
  auto message = (*beside)->Receive();
  ASSERT_TRUE(message.ok() && message->has_started());
  EXPECT_EQ(Run(Hog(300, 512 * kMiB)).outcome(),
            v1::OUTCOME_INFRASTRUCTURE_ERROR);
  message = (*beside)->Receive();
  ASSERT_TRUE(message.ok() && message->has_finished());
  EXPECT_EQ(message->finished().result().outcome(), v1::OUTCOME_SUCCEEDED);
}

}  // namespace
}  // namespace paddock
