#ifndef PADDOCK_SERVER_CONFIG_DEFAULTS_H_
#define PADDOCK_SERVER_CONFIG_DEFAULTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "paddock/config/v1/config.pb.h"

namespace paddock {

// What the defaults depend on.
struct HostFacts {
  int cpus = 1;              // the daemon may use: sched_getaffinity(2)
  std::vector<int> online;   // numbers of CPUs; empty: not known
  int64_t memory_bytes = 0;  // the smaller of RAM and the daemon's cgroup limit
  int64_t open_files = 0;    // highest hard RLIMIT_NOFILE the daemon can give
  bool rootless = false;     // started by an ordinary user
  std::string runtime_directory;  // XDG_RUNTIME_DIR of that user; may be empty
};

// Default of workers.user.
inline constexpr char kDefaultServiceUser[] = "paddock";
// Default of sandbox.host_id_base.
inline constexpr uint32_t kDefaultHostIdBase = 0x10000000;
// Each worker slot owns this many host user and group ids, from
// sandbox.host_id_base + slot * kIdsPerSlot on.
inline constexpr int64_t kIdsPerSlot = int64_t{64} << 20;
// Init processes run under sandbox.host_id_base - kInitIdsBelowBase + slot.
inline constexpr int64_t kInitIdsBelowBase = 65536;
// 2^32 - 1 is no id, but chown(2)'s "leave it as it is".
inline constexpr int64_t kLastHostId = (int64_t{1} << 32) - 2;

// Every field that has no notion of being unset, at its default.
config::v1::Config DefaultConfig(const HostFacts& host);

// Fills what may be unset: sizes and limits of requests, the images'
// environments and the profiles. What nobody wrote follows what the operator
// wrote: a maximum that was lowered lowers the default limit, a default limit
// that was raised raises the maximum, as far as the host has it, and a smaller
// queue lowers the largest request.
void FillUnset(const HostFacts& host, config::v1::Config* config);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFIG_DEFAULTS_H_
