#ifndef PADDOCK_SERVER_SUPERVISOR_SANDBOXES_LIMITS_H_
#define PADDOCK_SERVER_SUPERVISOR_SANDBOXES_LIMITS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "paddock/config/v1/config.pb.h"
#include "paddock/internal/v1/launch.pb.h"

namespace paddock {

// Weight of all sandboxes together where sandbox.cpu_weight says none. A group
// starts with 100, and what the daemon is in has that.
inline constexpr int kDefaultCpuWeight = 50;

// What holds for all sandboxes of an instance together, by the group that has
// the groups of all of them below it: cgroups(7).
struct SandboxesLimits {
  // In the unit of v2's cpu.weight, 1 to 10000. 0: kDefaultCpuWeight where the
  // cpu controller is there; any other value is an error where it is not.
  int cpu_weight = 0;
  // As cpuset(7) has a list; empty: all that the base may use.
  std::string cpuset;
  // 0: no limit.
  int64_t memory_bytes = 0;
};

// Memory of one worker's sandboxes beside that of the program that it runs:
// those that wait, ready or to be taken down. Of these a worker lets less than
// 32 MiB come together (worker/worker_loop.cc); the rest is for what the kernel
// frees late.
inline constexpr int64_t kIdleSandboxesBytes = 64 << 20;

SandboxesLimits SandboxesLimitsOf(const config::v1::Config& config);

// Groups of cgroup v2, open and borrowed: server/supervisor/cgroup_instance.h.
struct UnifiedGroups {
  int base = -1;
  int instance = -1;
  int sandboxes = -1;
  bool holds_daemon = false;           // beside `sandboxes`
  std::vector<std::string> available;  // controllers of `base`
  std::vector<std::string> used;       // those that `sandboxes` has
};

// Both write what is asked for as far as the controllers are there, and add a
// row to `layout` for each limit that holds. Errors name the field.
// FailedPrecondition where the memory controller does not limit swap.
absl::Status LimitByUnified(const SandboxesLimits& limits,
                            const UnifiedGroups& groups,
                            internal::v1::CgroupLayout* layout);
// By the group of one controller of v1, after LimitByUnified.
absl::Status LimitByV1(const SandboxesLimits& limits,
                       const std::string& controller, int group,
                       internal::v1::CgroupLayout* layout);

// After all hierarchies. FailedPrecondition names a field that asks for what
// none has given; what nobody asked for gets a row that says nothing holds.
absl::Status CheckAllLimited(const SandboxesLimits& limits,
                             internal::v1::CgroupLayout* layout);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_SANDBOXES_LIMITS_H_
