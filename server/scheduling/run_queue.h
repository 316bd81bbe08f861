#ifndef PADDOCK_SERVER_SCHEDULING_RUN_QUEUE_H_
#define PADDOCK_SERVER_SCHEDULING_RUN_QUEUE_H_

#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "server/scheduling/run.h"

namespace paddock {

// Index of a priority's queue: low, normal, high.
inline constexpr int kPriorityLevels = 3;
int PriorityLevel(v1::Priority priority);

// The runs that wait for a worker, and for memory: first in, first out, higher
// priorities first. A run that does not fit is overtaken by those behind it, so
// that memory does not lie idle, but not for long: then they wait too, and what
// runs makes room for it. Not thread-safe.
class RunQueue {
 public:
  struct Bounds {
    size_t capacity = 1024;                      // runs
    size_t max_bytes = size_t{1} << 30;          // of their messages
    absl::Duration patience = absl::Seconds(1);  // in which a run is overtaken
  };
  explicit RunQueue(Bounds bounds) : bounds_(bounds) {}

  bool HasRoomFor(const Run& run) const;
  void PushBack(std::shared_ptr<Run> run);
  // For a run that was accepted before and lost its worker: never refused.
  void PushFront(std::shared_ptr<Run> run);
  // The next run whose memory_share is at most `free_bytes`. Null if nothing
  // waits, or if what waits has to wait on.
  std::shared_ptr<Run> PopFitting(int64_t free_bytes, SteadyTime now);
  // False if `run` does not wait.
  bool Remove(const Run* run);
  // Removes all whose Deadline() is not after `now`.
  std::vector<std::shared_ptr<Run>> RemoveExpired(SteadyTime now);
  std::vector<std::shared_ptr<Run>> RemoveAll();

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t capacity() const { return bounds_.capacity; }
  size_t SizeOf(int level) const { return levels_[level].size(); }
  // The first Deadline(); the end of time if there is none.
  SteadyTime NextDeadline() const;
  // When the run that waits longest was submitted; `now` if none waits.
  SteadyTime OldestSubmission(SteadyTime now) const;

 private:
  using Level = std::deque<std::shared_ptr<Run>>;
  void Account(const Run& run);
  void Forget(const Run& run);

  const Bounds bounds_;
  std::array<Level, kPriorityLevels> levels_;
  size_t size_ = 0;
  size_t bytes_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SCHEDULING_RUN_QUEUE_H_
