// A server that was taken over can start more than fits. The group of all
// sandboxes then has a limit of its own, and what is killed for it is not
// blamed on the program's.
#include <fcntl.h>
#include <glob.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/worker_process.h"
#include "worker/base/unique_fd.h"

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
  // Its sandbox was built: no failure of that is counted.
  EXPECT_EQ(worker_->setup_failures(), 0);
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

// What it read is charged to it, up to its limit, and costs nobody anything.
TEST_F(TotalMemoryTest, WhoeverReadLargeFilesGoesOn) {
  glob_t files = {};
  ASSERT_EQ(glob("/usr/lib/gcc/*/*/cc1plus", 0, nullptr, &files), 0);
  const std::string file = files.gl_pathv[0];
  globfree(&files);
  constexpr int64_t kLimit = 16 * kMiB;
  bool was_full = false;
  for (int i = 0; i < 10 && !was_full; ++i) {
    // Who reads a page first is charged for it.
    const UniqueFd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
    auto beside = worker_->StartBeside();
    ASSERT_TRUE(beside.ok()) << beside.status();
    v1::Process reader = WorkerProcess::NewProcess(
        {"sh", "-c", absl::StrCat("cat ", file, " > /dev/null; sleep 3")});
    reader.mutable_limits()->set_memory_bytes(kLimit);
    ASSERT_TRUE((*beside)->Send(reader).ok());
    auto message = (*beside)->Receive();
    ASSERT_TRUE(message.ok() && message->has_started());
    absl::SleepFor(absl::Seconds(1));
    EXPECT_EQ(Run(Hog(300, 512 * kMiB)).outcome(),
              v1::OUTCOME_INFRASTRUCTURE_ERROR);
    message = (*beside)->Receive();
    ASSERT_TRUE(message.ok() && message->has_finished());
    const v1::ProcessResult& result = message->finished().result();
    EXPECT_EQ(result.outcome(), v1::OUTCOME_SUCCEEDED);
    was_full = result.usage().peak_memory_bytes() > kLimit - kMiB / 8;
  }
  EXPECT_TRUE(was_full);
}

}  // namespace
}  // namespace paddock
