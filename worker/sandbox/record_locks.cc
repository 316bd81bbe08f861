#include "worker/sandbox/record_locks.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "worker/base/monotonic_clock.h"
#include "worker/base/status_macros.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

// A lock in the middle of an older one of the other kind makes two more.
constexpr int kLocksOfARecordCall = 2;
// The longest line, with numbers as large as they get, has 113 bytes: the rest
// is for locks of the host. A longer list is not read.
constexpr size_t kMostLineBytes = 128;
constexpr size_t kMostListBytes = 6 << 20;
static_assert(kMostListBytes >
              kMostLineBytes * RecordLockLimit::kMostLocksOfAll);
// Of the locks a program may have, the part that its calls have to make before
// the kernel is asked again.
constexpr int kPartBetweenCounts = 8;
// After a count that took longer, the next call is heard so many times later.
constexpr absl::Duration kShortCount = absl::Milliseconds(1);
constexpr int kRestPerCount = 4;

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

// Of `counts`, those of ids that are not among `ids`.
int CountWithout(const std::vector<int>& ids,
                 const std::map<int, int>& counts) {
  const std::set<int> present(ids.begin(), ids.end());
  int sum = 0;
  for (const auto& [id, count] : counts) {
    if (!present.contains(id)) sum += count;
  }
  return sum;
}

}  // namespace

// "1: POSIX  ADVISORY  WRITE 1234 00:2a:5 0 EOF", "1: -> POSIX ..." where
// somebody waits.
FileLocks CountFileLocks(absl::string_view text, std::vector<int> pids) {
  std::sort(pids.begin(), pids.end());
  FileLocks locks;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    const size_t kind = words.size() > 1 && words[1] == "->" ? 2 : 1;
    int pid = 0;
    if (words.size() <= kind + 3 || !absl::SimpleAtoi(words[kind + 3], &pid) ||
        !std::binary_search(pids.begin(), pids.end(), pid)) {
      continue;
    }
    if (words[kind] == "POSIX") ++locks.record;
    if (words[kind] == "FLOCK") ++locks.whole[pid];
  }
  return locks;
}

int RecordLockLimit::Share(int workers) {
  return std::min(kMostLocks, kMostLocksOfAll / workers);
}

bool RecordLockLimit::CanCount() {
  return UniqueFd(open(kList, O_RDONLY | O_CLOEXEC)).valid();
}

bool RecordLockLimit::Concerns(const seccomp_data& call) const {
  return call.arch == architecture_ &&
         (call.nr == SYS_fcntl || call.nr == SYS_flock || call.nr == SYS_clone);
}

int RecordLockLimit::Judge(const seccomp_data& call, int thread) {
  if (call.nr == SYS_clone) {
    listed_ = false;  // whoever shares descriptors may keep a dead one's locks
    return 0;
  }
  const int locks = call.nr == SYS_flock ? 1 : kLocksOfARecordCall;
  ++calls_;
  if (most_ + locks > limit_ && listed_ &&
      calls_ >= limit_ / kPartBetweenCounts) {
    calls_ = 0;
    const absl::Time begin = MonotonicNow();
    Count().IgnoreError();  // then they are as many as they could be
    const absl::Time end = MonotonicNow();
    if (end - begin > kShortCount) {
      deaf_until_ = end + (end - begin) * kRestPerCount;
    }
  }
  if (most_ + locks > limit_) return ENOLCK;
  most_ += locks;
  if (call.nr == SYS_flock) {
    ++new_whole_[thread];
  } else if (IsOfOpenFile(call)) {
    unlisted_ += locks;
  }
  return 0;
}

// A lock of flock(2) is listed under the process that made it as long as that
// lives. If it does not, all that it can have left count for ever: what was
// listed when the kernel was asked last, and what was called since. Whoever
// lives after the list was read lived meanwhile; nobody new has a lock yet.
absl::Status RecordLockLimit::Count() {
  ASSIGN_OR_RETURN(const std::string text, ReadList());
  ASSIGN_OR_RETURN(const std::vector<int> pids, cgroup_->Processes());
  ASSIGN_OR_RETURN(const std::vector<int> threads, cgroup_->Threads());
  FileLocks locks = CountFileLocks(text, pids);
  unlisted_ += CountWithout(pids, listed_whole_);
  unlisted_ += CountWithout(threads, new_whole_);
  listed_whole_ = std::move(locks.whole);
  new_whole_.clear();
  most_ = unlisted_ + locks.record;
  for (const auto& [pid, count] : listed_whole_) most_ += count;
  return absl::OkStatus();
}

}  // namespace paddock
