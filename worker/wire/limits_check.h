#ifndef PADDOCK_WORKER_WIRE_LIMITS_CHECK_H_
#define PADDOCK_WORKER_WIRE_LIMITS_CHECK_H_

#include <cstdint>

#include "absl/time/time.h"
#include "paddock/v1/process.pb.h"
#include "worker/wire/check_report.h"

namespace paddock {

// Smallest values a program can be started with.
inline constexpr int64_t kMinMemoryBytes = 1 << 20;
inline constexpr int64_t kMinProcesses = 1;
// stdin, stdout, stderr, and one more: the dynamic linker opens libraries.
inline constexpr int64_t kMinOpenFiles = 4;
inline constexpr int64_t kMinWorkspaceInodes = 1;  // the directory itself
inline constexpr int64_t kMinStackBytes = 64 << 10;
inline constexpr double kMinCpus = 0.01;
// CPU time is looked at over spans of this length: in shorter ones a program
// that is busy may well have had none.
inline constexpr absl::Duration kMinIdleTime = absl::Milliseconds(100);

// Every limit that is set: within the bounds above and not above the same field
// of `max`. A field unset in `max` bounds nothing.
void CheckLimits(const v1::Limits& limits, const v1::Limits& max,
                 const CheckReport& report);

}  // namespace paddock

#endif  // PADDOCK_WORKER_WIRE_LIMITS_CHECK_H_
