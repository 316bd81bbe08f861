#include "worker/sandbox/record_locks.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/unasked_cgroup.h"

namespace paddock {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr uint32_t kArchitecture = 7;
constexpr int kMost = 4096;
constexpr int kThread = 100;

// A call that the filter asks about; args[1] is fcntl's command.
seccomp_data Call(int number, int command, uint32_t arch = kArchitecture) {
  seccomp_data call = {};
  call.nr = number;
  call.arch = arch;
  call.args[1] = static_cast<uint64_t>(command);
  return call;
}

// Calls that are carried out before the first that is not, up to `most`.
int Allowed(RecordLockLimit* limit, const seccomp_data& call, int most) {
  for (int i = 0; i < most; ++i) {
    if (limit->Judge(call, kThread) != 0) return i;
  }
  return most;
}

// Knows the processes it was told; nothing else is asked of it.
class ListedProcesses : public UnaskedCgroup {
 public:
  explicit ListedProcesses(std::vector<int> pids) : pids_(std::move(pids)) {}
  absl::StatusOr<std::vector<int>> Processes() const override { return pids_; }
  absl::StatusOr<std::vector<int>> Threads() const override { return pids_; }
  void End() { pids_.clear(); }

 private:
  std::vector<int> pids_;
};

TEST(CountFileLocksTest, ThoseOfTheProcessesAskedFor) {
  constexpr char kList[] =
      "1: POSIX  ADVISORY  WRITE 100 00:2a:5 0 EOF\n"
      "1: -> POSIX  ADVISORY  WRITE 101 00:2a:5 0 EOF\n"
      "2: POSIX  ADVISORY  READ  100 00:2a:100 2 2\n"
      "3: FLOCK  ADVISORY  WRITE 100 00:2a:5 0 EOF\n"
      "4: OFDLCK ADVISORY  WRITE -1 00:2a:5 0 EOF\n"
      "5: LEASE  ACTIVE    READ  100 00:2a:5 0 EOF\n"
      "6: POSIX  ADVISORY  WRITE 1000 00:2a:5 100 100\n"
      "7: POSIX  ADVISORY  WRITE 7\n"
      "8: POSIX\n";
  EXPECT_EQ(CountFileLocks(kList, {100}).record, 2);
  EXPECT_EQ(CountFileLocks(kList, {100, 101, 7}).record, 4);
  EXPECT_EQ(CountFileLocks(kList, {5}).record, 0);
  EXPECT_EQ(CountFileLocks(kList, {}).record, 0);
  EXPECT_EQ(CountFileLocks("", {100}).record, 0);
  EXPECT_THAT(CountFileLocks(kList, {100, 101}).whole,
              ElementsAre(Pair(100, 1)));
  EXPECT_THAT(CountFileLocks(kList, {101}).whole, IsEmpty());
}

TEST(CountFileLocksTest, ReadsWhatThisKernelWrites) {
  char name[] = "/tmp/record_locks_test.XXXXXX";
  const int fd = mkstemp(name);
  ASSERT_GE(fd, 0);
  unlink(name);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_len = 1;
  for (const int start : {0, 2, 4}) {
    lock.l_start = start;
    ASSERT_EQ(fcntl(fd, F_SETLK, &lock), 0);
  }
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  std::stringstream text;
  text << std::ifstream("/proc/locks").rdbuf();
  EXPECT_EQ(CountFileLocks(text.str(), {getpid()}).record, 3);
  EXPECT_THAT(CountFileLocks(text.str(), {getpid()}).whole,
              ElementsAre(Pair(getpid(), 1)));
  close(fd);
}

TEST(RecordLockLimitTest, ConcernsLocksOfItsArchitecture) {
  ListedProcesses nobody({});
  const RecordLockLimit limit(&nobody, kArchitecture, kMost);
  EXPECT_TRUE(limit.Concerns(Call(SYS_fcntl, F_SETLK)));
  EXPECT_TRUE(limit.Concerns(Call(SYS_clone, 0)));
  EXPECT_FALSE(limit.Concerns(Call(SYS_fcntl, F_SETLK, kArchitecture + 1)));
  EXPECT_TRUE(limit.Concerns(Call(SYS_flock, LOCK_EX)));
  EXPECT_FALSE(limit.Concerns(Call(SYS_reboot, 0)));
}

TEST(RecordLockLimitTest, LocksThatAreGoneMakeRoom) {
  ListedProcesses without_locks({});
  RecordLockLimit limit(&without_locks, kArchitecture, kMost);
  const int calls = 10 * kMost;
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_SETLK), calls), calls);
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_SETLKW), calls), calls);
}

TEST(RecordLockLimitTest, LocksOfOpenFilesMakeNone) {
  ListedProcesses without_locks({});
  RecordLockLimit limit(&without_locks, kArchitecture, kMost);
  const int half = kMost / 2;
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_OFD_SETLK), half / 2), half / 2);
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_SETLK), 10 * half), 10 * half);
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_OFD_SETLKW), half), half / 2);
  EXPECT_EQ(limit.Judge(Call(SYS_fcntl, F_SETLK), kThread), ENOLCK);
}

TEST(RecordLockLimitTest, LocksOfFlockMakeRoomWhileTheirMakerLives) {
  ListedProcesses processes({kThread});
  RecordLockLimit limit(&processes, kArchitecture, kMost);
  const seccomp_data call = Call(SYS_flock, LOCK_EX);
  EXPECT_EQ(Allowed(&limit, call, 10 * kMost), 10 * kMost);
  // What it called since the kernel was asked last may be left.
  processes.End();
  const int left = Allowed(&limit, call, 10 * kMost);
  EXPECT_LT(left, kMost);
  EXPECT_EQ(limit.Judge(call, kThread), ENOLCK);
}

TEST(RecordLockLimitTest, WhatTheKernelListsIsLeftByTheDead) {
  char name[] = "/tmp/record_locks_test.XXXXXX";
  const int fd = mkstemp(name);
  ASSERT_GE(fd, 0);
  unlink(name);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  ListedProcesses processes({getpid()});
  RecordLockLimit limit(&processes, kArchitecture, kMost);
  const seccomp_data call = Call(SYS_flock, LOCK_EX);
  const auto allow = [&](int calls) {
    for (int i = 0; i < calls; ++i) {
      ASSERT_EQ(limit.Judge(call, getpid()), 0) << i;
    }
  };
  allow(kMost + 1);  // the kernel was asked: one lock, and the call
  processes.End();
  allow(kMost - 2);
  EXPECT_EQ(limit.Judge(call, getpid()), ENOLCK);
  close(fd);
}

TEST(RecordLockLimitTest, AllProgramsTogetherHaveNoMoreThanCanBeRead) {
  EXPECT_EQ(RecordLockLimit::Share(1), RecordLockLimit::kMostLocks);
  EXPECT_EQ(RecordLockLimit::Share(2), RecordLockLimit::kMostLocks);
  for (const int workers : {1, 2, 3, 8, 64, 1024}) {
    EXPECT_LE(workers * RecordLockLimit::Share(workers),
              RecordLockLimit::kMostLocksOfAll);
    EXPECT_GT(RecordLockLimit::Share(workers), 0);
  }
}

TEST(RecordLockLimitTest, NoneMakeRoomWhereTheDeadMayHaveLeftSome) {
  ListedProcesses without_locks({});
  RecordLockLimit limit(&without_locks, kArchitecture, kMost);
  EXPECT_EQ(limit.Judge(Call(SYS_clone, 0), kThread), 0);
  const int half = kMost / 2;
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_SETLK), 10 * half), half);
  EXPECT_EQ(limit.Judge(Call(SYS_clone, 0), kThread), 0);
}

}  // namespace
}  // namespace paddock
