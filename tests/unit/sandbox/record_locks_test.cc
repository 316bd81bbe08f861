#include "worker/sandbox/record_locks.h"

#include <fcntl.h>
#include <gtest/gtest.h>
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

constexpr uint32_t kArchitecture = 7;

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
    if (limit->Judge(call) != 0) return i;
  }
  return most;
}

// Knows the processes it was told; nothing else is asked of it.
class ListedProcesses : public UnaskedCgroup {
 public:
  explicit ListedProcesses(std::vector<int> pids) : pids_(std::move(pids)) {}
  absl::StatusOr<std::vector<int>> Processes() const override { return pids_; }

 private:
  std::vector<int> pids_;
};

TEST(CountRecordLocksTest, ThoseOfTheProcessesAskedFor) {
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
  EXPECT_EQ(CountRecordLocks(kList, {100}), 2);
  EXPECT_EQ(CountRecordLocks(kList, {100, 101, 7}), 4);
  EXPECT_EQ(CountRecordLocks(kList, {5}), 0);
  EXPECT_EQ(CountRecordLocks(kList, {}), 0);
  EXPECT_EQ(CountRecordLocks("", {100}), 0);
}

TEST(CountRecordLocksTest, ReadsWhatThisKernelWrites) {
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
  std::stringstream text;
  text << std::ifstream("/proc/locks").rdbuf();
  EXPECT_EQ(CountRecordLocks(text.str(), {getpid()}), 3);
  close(fd);
}

TEST(RecordLockLimitTest, ConcernsLocksOfItsArchitecture) {
  ListedProcesses nobody({});
  const RecordLockLimit limit(&nobody, kArchitecture);
  EXPECT_TRUE(limit.Concerns(Call(SYS_fcntl, F_SETLK)));
  EXPECT_TRUE(limit.Concerns(Call(SYS_clone, 0)));
  EXPECT_FALSE(limit.Concerns(Call(SYS_fcntl, F_SETLK, kArchitecture + 1)));
  EXPECT_FALSE(limit.Concerns(Call(SYS_reboot, 0)));
}

TEST(RecordLockLimitTest, LocksThatAreGoneMakeRoom) {
  ListedProcesses without_locks({});
  RecordLockLimit limit(&without_locks, kArchitecture);
  const int calls = 10 * RecordLockLimit::kMostLocks;
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_SETLK), calls), calls);
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_SETLKW), calls), calls);
}

TEST(RecordLockLimitTest, LocksOfOpenFilesMakeNone) {
  ListedProcesses without_locks({});
  RecordLockLimit limit(&without_locks, kArchitecture);
  const int half = RecordLockLimit::kMostLocks / 2;
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_OFD_SETLK), half / 2), half / 2);
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_SETLK), 10 * half), 10 * half);
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_OFD_SETLKW), half), half / 2);
  EXPECT_EQ(limit.Judge(Call(SYS_fcntl, F_SETLK)), ENOLCK);
}

TEST(RecordLockLimitTest, NoneMakeRoomWhereTheDeadMayHaveLeftSome) {
  ListedProcesses without_locks({});
  RecordLockLimit limit(&without_locks, kArchitecture);
  EXPECT_EQ(limit.Judge(Call(SYS_clone, 0)), 0);
  const int half = RecordLockLimit::kMostLocks / 2;
  EXPECT_EQ(Allowed(&limit, Call(SYS_fcntl, F_SETLK), 10 * half), half);
  EXPECT_EQ(limit.Judge(Call(SYS_clone, 0)), 0);
}

}  // namespace
}  // namespace paddock
