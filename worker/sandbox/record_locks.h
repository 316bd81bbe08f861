#ifndef PADDOCK_WORKER_SANDBOX_RECORD_LOCKS_H_
#define PADDOCK_WORKER_SANDBOX_RECORD_LOCKS_H_

#include <linux/seccomp.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/sandbox/cgroup.h"

namespace paddock {

// Locks of fcntl(2), held or waited for, that the processes in `pids` own
// according to `text`, the lines of /proc/locks: proc(5). Those of open files
// (F_OFD_SETLK) belong to no process there.
int CountRecordLocks(absl::string_view text, const std::vector<int>& pids);

// Holds one program, with all its processes, to so many record locks: the
// kernel charges them to no control group. It answers ENOLCK beyond, fcntl(2).
// Counts calls, as no filter sees what they are for, and asks the kernel how
// many locks there really are whenever the calls could have made too many.
class RecordLockLimit {
 public:
  // 3 MiB of the kernel's memory.
  static constexpr int kMostLocks = 16384;
  // The kernel is asked at most once in so many calls: its list is the whole
  // host's.
  static constexpr int kCallsBetweenCounts = 2048;

  // Borrows `cgroup`. `architecture`: AUDIT_ARCH_* of the program's filter.
  RecordLockLimit(const SandboxCgroup* cgroup, uint32_t architecture)
      : cgroup_(cgroup), architecture_(architecture) {}

  // Whether this host's list can be read. Where it cannot, every lock counts
  // for ever: a program has kMostLocks / 2 calls in all.
  static bool CanCount();

  // Whether the filter asks about `call` for the sake of this limit; what else
  // it asks about is a violation.
  bool Concerns(const seccomp_data& call) const;

  // What a call that it Concerns is to fail with; 0: the kernel carries it out.
  // No other call of the program gets past the filter meanwhile.
  int Judge(const seccomp_data& call);

 private:
  absl::StatusOr<int> Count() const;

  const SandboxCgroup* const cgroup_;
  const uint32_t architecture_;
  int most_ = 0;        // locks there can be
  int unlisted_ = 0;    // of them, of open files: may have no process any more
  int calls_ = 0;       // since the kernel was asked
  bool listed_ = true;  // whether the rest is listed under the program's pids
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_RECORD_LOCKS_H_
