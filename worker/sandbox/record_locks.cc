#include "worker/sandbox/record_locks.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "worker/base/status_macros.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

// A lock in the middle of an older one of the other kind makes two more.
constexpr int kLocksOfACall = 2;
// Some 100'000 locks of the whole host. A longer list is not read: the kernel
// takes longer for each line than for the one before.
constexpr size_t kMostListBytes = 6 << 20;

constexpr char kList[] = "/proc/locks";

absl::StatusOr<std::string> ReadList() {
  const UniqueFd fd(open(kList, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open /proc/locks");
  std::string text;
  char block[4096];  // what the kernel gives at a time
  for (;;) {
    const ssize_t n = read(fd.get(), block, sizeof(block));
    if (n < 0) return ErrnoStatus(errno, "read /proc/locks");
    if (n == 0) return text;
    text.append(block, n);
    if (text.size() > kMostListBytes) {
      return absl::ResourceExhaustedError("too many locks on this host");
    }
  }
}

bool IsOfOpenFile(const seccomp_data& call) {
  const int command = static_cast<int>(call.args[1]);
  return command == F_OFD_SETLK || command == F_OFD_SETLKW;
}

}  // namespace

// "1: POSIX  ADVISORY  WRITE 1234 00:2a:5 0 EOF", "1: -> POSIX ..." where
// somebody waits.
int CountRecordLocks(absl::string_view text, const std::vector<int>& pids) {
  int count = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    const auto kind = std::find(words.begin(), words.end(), "POSIX");
    int pid = 0;
    if (words.end() - kind > 3 && absl::SimpleAtoi(kind[3], &pid) &&
        std::find(pids.begin(), pids.end(), pid) != pids.end()) {
      ++count;
    }
  }
  return count;
}

bool RecordLockLimit::CanCount() {
  return UniqueFd(open(kList, O_RDONLY | O_CLOEXEC)).valid();
}

bool RecordLockLimit::Concerns(const seccomp_data& call) const {
  return call.arch == architecture_ &&
         (call.nr == SYS_fcntl || call.nr == SYS_clone);
}

int RecordLockLimit::Judge(const seccomp_data& call) {
  if (call.nr == SYS_clone) {
    listed_ = false;  // whoever shares descriptors may keep a dead one's locks
    return 0;
  }
  ++calls_;
  if (most_ + kLocksOfACall > kMostLocks && listed_ &&
      calls_ >= kCallsBetweenCounts) {
    calls_ = 0;
    const absl::StatusOr<int> count = Count();
    if (count.ok()) most_ = unlisted_ + *count;
  }
  if (most_ + kLocksOfACall > kMostLocks) return ENOLCK;
  most_ += kLocksOfACall;
  if (IsOfOpenFile(call)) unlisted_ += kLocksOfACall;
  return 0;
}

absl::StatusOr<int> RecordLockLimit::Count() const {
  ASSIGN_OR_RETURN(const std::vector<int> pids, cgroup_->Processes());
  ASSIGN_OR_RETURN(const std::string text, ReadList());
  return CountRecordLocks(text, pids);
}

}  // namespace paddock
