#ifndef PADDOCK_WORKER_SANDBOX_ID_RANGES_H_
#define PADDOCK_WORKER_SANDBOX_ID_RANGES_H_

#include <cstdint>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"

namespace paddock {

// The program's ids inside its user namespace.
inline constexpr uint32_t kProgramId = 1000;

// The ids of one sandbox.
struct SandboxIds {
  uint32_t first = 0;
  uint32_t program = 0;  // what the program's id is outside
  // For uid_map and gid_map: inside, outside, count. user_namespaces(7).
  std::string map;
};

// Hands out user and group ids of a worker slot, so that no two sandboxes share
// what the kernel counts per user, and no sandbox follows another closely. Its
// own id also makes a sandbox's user namespace: the kernel counts for the maker
// too. So it does for the maker of a user namespace that the service is in:
// what is counted for him all sandboxes share.
class IdRanges {
 public:
  IdRanges() = default;
  // Meaning and bounds: SlotIds of launch.proto. `count` holds more sandboxes
  // than the worker ever has at a time, or `per_sandbox` is 0.
  IdRanges(uint32_t first, uint32_t count, uint32_t per_sandbox)
      : first_(first), count_(count), per_sandbox_(per_sandbox) {}

  uint32_t per_sandbox() const { return per_sandbox_; }

  // Ids that no living sandbox has, if there are any at all.
  SandboxIds Take() {
    if (per_sandbox_ == 0) return Make(first_);
    uint32_t first;
    do {
      first = first_ + next_++ % (count_ / per_sandbox_) * per_sandbox_;
    } while (!in_use_.insert(first).second);
    return Make(first);
  }
  // Only once the sandbox's processes are gone.
  void Release(const SandboxIds& ids) { in_use_.erase(ids.first); }

 private:
  SandboxIds Make(uint32_t first) const {
    if (per_sandbox_ > kProgramId) {
      return {first, first + kProgramId,
              absl::StrCat("0 ", first, " ", per_sandbox_, "\n")};
    }
    return {first, first, absl::StrCat(kProgramId, " ", first, " 1\n")};
  }

  uint32_t first_ = 0;
  uint32_t count_ = 0;
  uint32_t per_sandbox_ = 0;
  uint32_t next_ = 0;
  std::set<uint32_t> in_use_;
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_ID_RANGES_H_
