#include "server/scheduling/run_queue.h"

#include <algorithm>
#include <utility>

namespace paddock {
namespace {

// A queue of a million runs is not looked through at every end of a run.
constexpr int kMostLookedAt = 256;

}  // namespace

int PriorityLevel(v1::Priority priority) {
  switch (priority) {
    case v1::PRIORITY_LOW:
      return 0;
    case v1::PRIORITY_HIGH:
      return 2;
    default:
      return 1;
  }
}

bool RunQueue::HasRoomFor(const Run& run) const {
  return size_ < bounds_.capacity &&
         bytes_ + run.message.bytes <= bounds_.max_bytes;
}

void RunQueue::PushBack(std::shared_ptr<Run> run) {
  Account(*run);
  levels_[PriorityLevel(run->priority)].push_back(std::move(run));
}

void RunQueue::PushFront(std::shared_ptr<Run> run) {
  Account(*run);
  levels_[PriorityLevel(run->priority)].push_front(std::move(run));
}

std::shared_ptr<Run> RunQueue::PopFitting(int64_t free_bytes, SteadyTime now) {
  int looked_at = 0;
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    for (auto it = level->begin(); it != level->end(); ++it) {
      if (++looked_at > kMostLookedAt) return nullptr;
      if ((*it)->memory_share <= free_bytes) {
        std::shared_ptr<Run> run = std::move(*it);
        level->erase(it);
        Forget(*run);
        return run;
      }
      if (!(*it)->blocked_since) (*it)->blocked_since = now;
      if (AddTo(*(*it)->blocked_since, bounds_.patience) <= now) return nullptr;
    }
  }
  return nullptr;
}

bool RunQueue::Remove(const Run* run) {
  Level& level = levels_[PriorityLevel(run->priority)];
  auto it = std::find_if(level.begin(), level.end(),
                         [&](const auto& r) { return r.get() == run; });
  if (it == level.end()) return false;
  Forget(*run);
  level.erase(it);
  return true;
}

std::vector<std::shared_ptr<Run>> RunQueue::RemoveExpired(SteadyTime now) {
  std::vector<std::shared_ptr<Run>> expired;
  for (Level& level : levels_) {
    std::erase_if(level, [&](const std::shared_ptr<Run>& run) {
      if (run->Deadline() > now) return false;
      Forget(*run);
      expired.push_back(run);
      return true;
    });
  }
  return expired;
}

std::vector<std::shared_ptr<Run>> RunQueue::RemoveAll() {
  return RemoveExpired(SteadyTime::max());
}

SteadyTime RunQueue::NextDeadline() const {
  SteadyTime next = SteadyTime::max();
  for (const Level& level : levels_) {
    for (const auto& run : level) next = std::min(next, run->Deadline());
  }
  return next;
}

SteadyTime RunQueue::OldestSubmission(SteadyTime now) const {
  SteadyTime oldest = now;
  for (const Level& level : levels_) {
    // Not only the front: a run that lost its worker stands before older ones.
    for (const auto& run : level) oldest = std::min(oldest, run->submitted);
  }
  return oldest;
}

void RunQueue::Account(const Run& run) {
  ++size_;
  bytes_ += run.message.bytes;
}

void RunQueue::Forget(const Run& run) {
  --size_;
  bytes_ -= run.message.bytes;
}

}  // namespace paddock
