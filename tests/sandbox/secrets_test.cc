// What was secret in one run is not in the worker's memory after it: the init
// of the next sandbox is a copy of that.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/support/worker_process.h"
#include "worker/base/file_util.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {

// True if `needle` stands in writable memory of process `pid`: proc(5).
bool MemoryHolds(pid_t pid, const std::string& needle) {
  const std::string proc = absl::StrCat("/proc/", pid);
  absl::StatusOr<std::string> maps =
      ReadFileAt(AT_FDCWD, absl::StrCat(proc, "/maps"));
  absl::StatusOr<UniqueFd> memory =
      OpenAt(AT_FDCWD, absl::StrCat(proc, "/mem"), O_RDONLY);
  EXPECT_TRUE(maps.ok() && memory.ok());
  if (!maps.ok() || !memory.ok()) return false;
  const std::vector<std::string> lines = absl::StrSplit(*maps, '\n');
  for (const std::string& line : lines) {
    uint64_t begin = 0;
    uint64_t end = 0;
    char rights[5] = {};
    if (sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s", &begin, &end,
               rights) != 3 ||
        rights[1] != 'w') {
      continue;
    }
    // Address space that a sanitizer has set aside for its own notes.
    constexpr uint64_t kMostBytes = uint64_t{4} << 30;
    if (end - begin > kMostBytes) continue;
    std::string contents(end - begin, '\0');
    const ssize_t n =
        pread(memory->get(), contents.data(), contents.size(), begin);
    if (n <= 0) continue;
    contents.resize(n);
    if (contents.find(needle) != std::string::npos) return true;
  }
  return false;
}

// True if a process below `pid` runs `name`: children and comm of proc(5).
bool Runs(pid_t pid, const std::string& name) {
  const std::string proc = absl::StrCat("/proc/", pid);
  if (ReadFileAt(AT_FDCWD, proc + "/comm").value_or("") == name + "\n") {
    return true;
  }
  const std::string children =
      ReadFileAt(AT_FDCWD, absl::StrCat(proc, "/task/", pid, "/children"))
          .value_or("");
  for (absl::string_view child :
       absl::StrSplit(children, ' ', absl::SkipEmpty())) {
    pid_t found = 0;
    if (absl::SimpleAtoi(child, &found) && Runs(found, name)) return true;
  }
  return false;
}

TEST(SecretsTest, EnvironmentIsWipedWhenTheRunHasEnded) {
  absl::StatusOr<std::unique_ptr<WorkerProcess>> worker =
      WorkerProcess::Start();
  ASSERT_TRUE(worker.ok()) << worker.status();
  // In two parts, so that this test's own copy is not what was sent.
  const std::string secret =
      absl::StrCat("correct-horse-", "battery-staple-", getpid());
  v1::Process process =
      WorkerProcess::NewProcess({"sh", "-c", "echo ${#TOKEN}; sleep 100"});
  (*process.mutable_secret_env())["TOKEN"] = secret;
  const absl::StatusOr<uint64_t> run = (*worker)->Send(process);
  ASSERT_TRUE(run.ok()) << run.status();
  absl::StatusOr<internal::v1::WorkerMessage> started = (*worker)->Receive();
  ASSERT_TRUE(started.ok() && started->has_started());
  // Control: it is there while the program runs, so the search finds it. That
  // takes long under a sanitizer, and no time without.
  EXPECT_TRUE(MemoryHolds((*worker)->pid(), secret));
  for (int i = 0; i < 1000 && !Runs((*worker)->pid(), "sleep"); ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  internal::v1::ServerMessage cancel;
  cancel.mutable_cancel()->set_run_id(*run);
  ASSERT_TRUE(SendMessage((*worker)->channel(), cancel).ok());
  absl::StatusOr<internal::v1::WorkerMessage> finished = (*worker)->Receive();
  ASSERT_TRUE(finished.ok() && finished->has_finished());
  EXPECT_EQ(finished->finished().result().stdout().data(),
            absl::StrCat(secret.size(), "\n"));
  // The next run proves that the worker has come round.
  ASSERT_TRUE((*worker)->Run(WorkerProcess::NewProcess({"/bin/true"})).ok());
  EXPECT_FALSE(MemoryHolds((*worker)->pid(), secret));
}

}  // namespace
}  // namespace paddock
