#ifndef PADDOCK_WORKER_SANDBOX_ID_RANGES_H_
#define PADDOCK_WORKER_SANDBOX_ID_RANGES_H_

#include <cstdint>
#include <set>

namespace paddock {

// Ids that a sandbox's user namespace maps, from 0 on: user_namespaces(7).
inline constexpr uint32_t kIdsPerSandbox = 65536;
// Ids of one worker slot: enough that an id comes round again only after a
// thousand sandboxes.
inline constexpr uint32_t kIdsPerSlot = 64u << 20;
// The program's ids inside its namespace.
inline constexpr uint32_t kProgramId = 1000;

// Hands out ranges of host user and group ids, so that no two sandboxes share
// what the kernel counts per user, and no sandbox follows another closely.
class IdRanges {
 public:
  IdRanges() = default;
  // `base` is Sandbox.host_id_base of the configuration.
  IdRanges(uint32_t base, int slot)
      : first_(base + static_cast<uint32_t>(slot) * kIdsPerSlot),
        init_id_(base - kIdsPerSandbox + static_cast<uint32_t>(slot)) {}

  // The first id of a range that no living sandbox has.
  uint32_t Take() {
    uint32_t base;
    do {
      base = first_ + next_++ % (kIdsPerSlot / kIdsPerSandbox) * kIdsPerSandbox;
    } while (!in_use_.insert(base).second);
    return base;
  }
  // Only once the sandbox's processes are gone.
  void Release(uint32_t base) { in_use_.erase(base); }

  // Of this slot's init processes: below every program's range.
  uint32_t init_id() const { return init_id_; }

 private:
  uint32_t first_ = 0;
  uint32_t init_id_ = 0;
  uint32_t next_ = 0;
  std::set<uint32_t> in_use_;
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_ID_RANGES_H_
