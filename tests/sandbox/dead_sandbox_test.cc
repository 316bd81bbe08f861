// Dead sandboxes are taken down when there is nothing else to do; those whose
// files take memory, before the next program.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "tests/sandbox/worker_test.h"

namespace paddock {
namespace {

class DeadSandboxTest : public WorkerTest {
 protected:
  std::set<std::string> Groups() {
    const std::vector<std::string> groups = worker_->LivingGroups();
    return {groups.begin(), groups.end()};
  }

  // Bytes that all sandboxes are charged for.
  int64_t MemoryOfAll() {
    std::string file =
        worker_->layout().unified_directory() + "/memory.current";
    for (const auto& hierarchy : worker_->layout().v1()) {
      if (hierarchy.controller() == "memory") {
        file = hierarchy.directory() + "/memory.usage_in_bytes";
      }
    }
    int64_t bytes = -1;
    EXPECT_TRUE(std::ifstream(file) >> bytes) << file;
    return bytes;
  }

  // Runs `script`, which is killed, and at once another program. Returns
  // whether some group of the first is there while the second runs.
  bool IsThereDuringTheNextRun(const std::string& script) {
    v1::Process first = WorkerProcess::NewProcess({"sh", "-c", script});
    EXPECT_TRUE(worker_->Send(first).ok());
    absl::StatusOr<internal::v1::WorkerMessage> message = worker_->Receive();
    EXPECT_TRUE(message.ok() && message->has_started());
    const std::set<std::string> before = Groups();
    message = worker_->Receive();
    EXPECT_TRUE(message.ok() && message->has_finished());
    EXPECT_EQ(message->finished().result().outcome(), v1::OUTCOME_SUCCEEDED);
    EXPECT_TRUE(worker_->WaitMemoryFree(*message).ok());
    v1::Process next = WorkerProcess::NewProcess({"sleep", "0.3"});
    EXPECT_TRUE(worker_->Send(next).ok());
    message = worker_->Receive();
    EXPECT_TRUE(message.ok() && message->has_started());
    const std::set<std::string> during = Groups();
    bytes_during_the_next_run_ = MemoryOfAll();
    message = worker_->Receive();
    EXPECT_TRUE(message.ok() && message->has_finished());
    return std::includes(during.begin(), during.end(), before.begin(),
                         before.end());
  }

  int64_t bytes_during_the_next_run_ = -1;
};

// Nobody's process has it, and yet it is there as long as the namespace is.
constexpr char kSysVMemory[] = R"(sleep 0.2; python3 -c '
import ctypes
c = ctypes.CDLL(None)
c.shmat.restype = ctypes.c_void_p
memory = c.shmat(c.shmget(0, 100 << 20, 0o1600), None, 0)
ctypes.memset(ctypes.c_void_p(memory), 1, 100 << 20)')";

TEST_F(DeadSandboxTest, SysVMemoryIsFreeBeforeTheNextProgramRuns) {
  IsThereDuringTheNextRun(kSysVMemory);
  // But for a rest that may be late, and pages of files.
  EXPECT_LT(bytes_during_the_next_run_, 64 << 20);
}

// The server gives its share to a program of another worker then.
TEST_F(DeadSandboxTest, MuchMemoryIsFreeWhenTheWorkerSaysSo) {
  v1::Process process = WorkerProcess::NewProcess(
      {"sh", "-c", "sleep 0.2; head -c 60M /dev/zero > /tmp/file"});
  ASSERT_TRUE(worker_->Send(process).ok());
  auto message = worker_->Receive();
  ASSERT_TRUE(message.ok() && message->has_started());
  const std::set<std::string> before = Groups();
  message = worker_->Receive();
  ASSERT_TRUE(message.ok() && message->has_finished());
  EXPECT_EQ(message->finished().result().outcome(), v1::OUTCOME_SUCCEEDED);
  EXPECT_TRUE(message->finished().memory_held());
  EXPECT_TRUE(worker_->WaitMemoryFree(*message).ok());
  const std::set<std::string> after = Groups();
  EXPECT_FALSE(
      std::includes(after.begin(), after.end(), before.begin(), before.end()));
}

// The kernel frees it some time after the last process.
TEST_F(DeadSandboxTest, MuchSysVMemoryIsFreeWhenTheWorkerSaysSo) {
  v1::Process process = WorkerProcess::NewProcess({"python3", "-c", R"(
import ctypes
c = ctypes.CDLL(None)
c.shmat.restype = ctypes.c_void_p
for i in range(400):
    memory = c.shmat(c.shmget(0, 1 << 20, 0o1600), None, 0)
    ctypes.memset(ctypes.c_void_p(memory), 1, 1 << 20)
)"});
  process.mutable_limits()->set_memory_bytes(int64_t{1} << 30);
  const absl::StatusOr<v1::ProcessResult> result = worker_->Run(process);
  const int64_t left = MemoryOfAll();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcome(), v1::OUTCOME_SUCCEEDED);
  EXPECT_GT(result->usage().peak_memory_bytes(), 400 << 20);
  EXPECT_LT(left, 64 << 20);
}

TEST_F(DeadSandboxTest, MemoryOfFilesIsFreeBeforeTheNextProgramRuns) {
  for (const char* directory : {"/work", "/tmp", "/dev/shm"}) {
    SCOPED_TRACE(directory);
    EXPECT_FALSE(IsThereDuringTheNextRun(std::string("sleep 0.2; head -c 40M "
                                                     "/dev/zero > ") +
                                         directory + "/file"));
  }
  // Control: little can wait. Seen once in a few tries is enough, because a
  // worker that is idle for a moment takes it down.
  bool seen = false;
  for (int i = 0; i < 100 && !seen; ++i) {
    seen = IsThereDuringTheNextRun("sleep 0.01; echo little > /work/file");
  }
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace paddock
