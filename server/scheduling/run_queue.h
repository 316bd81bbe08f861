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

// The runs that wait for a worker: first in, first out, higher priorities
// first. Not thread-safe.
class RunQueue {
 public:
  // At most `capacity` runs and `max_bytes` of their messages.
  RunQueue(size_t capacity, size_t max_bytes)
      : capacity_(capacity), max_bytes_(max_bytes) {}

  bool HasRoomFor(const Run& run) const;
  void PushBack(std::shared_ptr<Run> run);
  // For a run that was accepted before and lost its worker: never refused.
  void PushFront(std::shared_ptr<Run> run);
  // Null if nothing waits.
  std::shared_ptr<Run> Pop();
  // False if `run` does not wait.
  bool Remove(const Run* run);
  // Removes all whose Deadline() is not after `now`.
  std::vector<std::shared_ptr<Run>> RemoveExpired(SteadyTime now);
  std::vector<std::shared_ptr<Run>> RemoveAll();

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  size_t SizeOf(int level) const { return levels_[level].size(); }
  // The first Deadline(); the end of time if there is none.
  SteadyTime NextDeadline() const;
  // When the run that waits longest was submitted; `now` if none waits.
  SteadyTime OldestSubmission(SteadyTime now) const;

 private:
  using Level = std::deque<std::shared_ptr<Run>>;
  void Account(const Run& run);
  void Forget(const Run& run);

  const size_t capacity_;
  const size_t max_bytes_;
  std::array<Level, kPriorityLevels> levels_;
  size_t size_ = 0;
  size_t bytes_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SCHEDULING_RUN_QUEUE_H_
