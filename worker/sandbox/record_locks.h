#ifndef PADDOCK_WORKER_SANDBOX_RECORD_LOCKS_H_
#define PADDOCK_WORKER_SANDBOX_RECORD_LOCKS_H_

#include <linux/seccomp.h>

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "worker/sandbox/cgroup.h"

namespace paddock {

// Locks that processes hold or wait for.
struct FileLocks {
  int record = 0;            // of fcntl(2), but for those of open files
  std::map<int, int> whole;  // of flock(2), by the process that made them
};

// Those of the processes in `pids` according to `text`, the lines of
// /proc/locks: proc(5). Locks of open files (F_OFD_SETLK) belong to no process
// there.
FileLocks CountFileLocks(absl::string_view text, std::vector<int> pids);

// Holds one program, with all its processes, to so many locks of fcntl(2) and
// flock(2): the kernel charges them to no control group. It answers ENOLCK
// beyond. Counts calls, as no filter sees what they are for, and asks the
// kernel how many locks there really are whenever the calls could have made too
// many.
class RecordLockLimit {
 public:
  // 3 MiB of the kernel's memory.
  static constexpr int kMostLocks = 16384;
  // Of all programs that run at a time: the kernel's list is the whole host's,
  // and takes four times as long to read with twice as many. Measured: 130 ms.
  static constexpr int kMostLocksOfAll = 2 * kMostLocks;

  // What one of so many workers may let its program have. Whatever programs
  // have, the list stays short enough to be read for all of them.
  static int Share(int workers);

  // Borrows `cgroup`. `architecture`: AUDIT_ARCH_* of the program's filter.
  // `most`: Share.
  RecordLockLimit(const SandboxCgroup* cgroup, uint32_t architecture, int most)
      : cgroup_(cgroup), architecture_(architecture), limit_(most) {}

  // Whether this host's list can be read. Where it cannot, every lock counts
  // for ever: a program has half as many calls in all.
  static bool CanCount();

  // Whether the filter asks about `call` for the sake of this limit; what else
  // it asks about is a violation.
  bool Concerns(const seccomp_data& call) const;

  // What `call`, which it Concerns, of `thread`, as the worker sees it, is to
  // fail with; 0: the kernel carries it out. No other call of the program gets
  // past the filter meanwhile.
  int Judge(const seccomp_data& call, int thread);

  // When the next call is to be heard, by the monotonic clock. The kernel was
  // asked for the last one, which takes long and is charged to nobody.
  absl::Time DeafUntil() const { return deaf_until_; }

 private:
  absl::Status Count();

  const SandboxCgroup* const cgroup_;
  const uint32_t architecture_;
  const int limit_;
  int most_ = 0;  // locks there can be
  // Of them, those that may have no process any more: of open files, and of
  // flock(2) if who made them is gone, as others may have the same open file.
  int unlisted_ = 0;
  std::map<int, int> listed_whole_;  // when the kernel was asked
  std::map<int, int> new_whole_;     // since then, by the thread that called
  int calls_ = 0;                    // since then
  bool listed_ = true;  // whether the rest is listed under the program's pids
  absl::Time deaf_until_ = absl::InfinitePast();
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_RECORD_LOCKS_H_
