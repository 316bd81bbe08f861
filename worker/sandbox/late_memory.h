#ifndef PADDOCK_WORKER_SANDBOX_LATE_MEMORY_H_
#define PADDOCK_WORKER_SANDBOX_LATE_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "worker/sandbox/cgroup.h"

namespace paddock {

// Groups of sandboxes that are gone, whose memory the kernel frees some time
// after the last process: of an IPC namespace, and of sockets that lie in each
// other's messages, one by one. While it is charged to its group, that says how
// much it is; once the group is removed, nobody knows any more, and it would
// add up. Process: worker.
class LateMemory {
 public:
  // Removes the group at once if it holds little. `now` is MonotonicNow().
  absl::Status Add(std::unique_ptr<SandboxCgroup> group, absl::Time now);

  // Looks at the groups again, unless that was a moment ago, and removes those
  // that hold little by now, or of which nothing came back for some seconds: as
  // names of files, which the kernel keeps until it needs the memory.
  // DeadlineExceeded if one is given up that was still on its way.
  absl::Status Look(absl::Time now);

  // Makes the kernel take back what it would keep until it needs the memory, a
  // part of it at a time: this takes some milliseconds.
  void Reclaim(absl::Time now);

  // Removes all groups, whatever they hold.
  absl::Status RemoveAll();

  bool empty() const { return groups_.empty(); }
  size_t size() const { return groups_.size(); }
  // That they held together when they were looked at.
  int64_t bytes() const { return bytes_; }

 private:
  struct Group {
    std::unique_ptr<SandboxCgroup> cgroup;
    absl::Time since;
    int64_t bytes = 0;
    // The least it held so far, and since when.
    int64_t least_bytes = 0;
    absl::Time least_since;
    absl::Time next_reclaim = absl::InfinitePast();
  };
  std::deque<Group> groups_;
  int64_t bytes_ = 0;
  absl::Time looked_at_ = absl::InfinitePast();
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_LATE_MEMORY_H_
