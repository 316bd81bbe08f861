#include "worker/sandbox/late_memory.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace paddock {
namespace {

constexpr int64_t kLittle = 512 << 10;
constexpr absl::Duration kLookInterval = absl::Milliseconds(2);
// Far beyond what the kernel takes to free what a program within the default
// limits can have left: at 250 Hz 8 ms for each socket of a chain of them. Less
// than WorkerPool::Options::free_margin.
constexpr absl::Duration kLongest = absl::Seconds(120);
// Where sockets are taken apart, more than so much comes back in this time.
constexpr int64_t kProgress = 64 << 10;
constexpr absl::Duration kNoProgress = absl::Seconds(5);
// Some milliseconds' work where it is names of files, each of which is small;
// and how long not to try again where it was not.
constexpr int64_t kReclaimStep = 4 << 20;
constexpr absl::Duration kReclaimInterval = absl::Milliseconds(100);

}  // namespace

absl::Status LateMemory::Add(std::unique_ptr<SandboxCgroup> group,
                             absl::Time now) {
  // Quicker to read than what is held of it.
  if (group->MemoryInUse() <= kLittle) return group->Remove();
  group->Reclaim(1);
  Group late = {.cgroup = std::move(group), .since = now};
  late.bytes = late.least_bytes = late.cgroup->MemoryHeld();
  late.least_since = late.since;
  if (late.bytes <= kLittle) return late.cgroup->Remove();
  bytes_ += late.bytes;
  groups_.push_back(std::move(late));
  return absl::OkStatus();
}

absl::Status LateMemory::Look(absl::Time now) {
  if (groups_.empty() || now - looked_at_ < kLookInterval) {
    return absl::OkStatus();
  }
  looked_at_ = now;
  absl::Status status;
  bytes_ = 0;
  std::deque<Group> rest;
  for (Group& group : groups_) {
    group.bytes = group.cgroup->MemoryHeld();
    if (group.bytes <= group.least_bytes - kProgress) {
      group.least_bytes = group.bytes;
      group.least_since = now;
    }
    if (group.bytes > kLittle && now - group.since > kLongest) {
      status.Update(absl::DeadlineExceededError(
          absl::StrCat(group.bytes, " bytes are still taken")));
    } else if (group.bytes > kLittle &&
               now - group.least_since <= kNoProgress) {
      bytes_ += group.bytes;
      rest.push_back(std::move(group));
      continue;
    }
    status.Update(group.cgroup->Remove());
  }
  groups_ = std::move(rest);
  return status;
}

void LateMemory::Reclaim(absl::Time now) {
  for (Group& group : groups_) {
    if (now < group.next_reclaim) continue;
    const int64_t before = group.cgroup->MemoryHeld();
    group.cgroup->Reclaim(kReclaimStep);
    const int64_t freed = before - group.cgroup->MemoryHeld();
    if (freed < kReclaimStep / 2) group.next_reclaim = now + kReclaimInterval;
  }
}

absl::Status LateMemory::RemoveAll() {
  absl::Status status;
  for (const Group& group : groups_) status.Update(group.cgroup->Remove());
  groups_.clear();
  bytes_ = 0;
  return status;
}

}  // namespace paddock
