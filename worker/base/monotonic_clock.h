#ifndef PADDOCK_WORKER_BASE_MONOTONIC_CLOCK_H_
#define PADDOCK_WORKER_BASE_MONOTONIC_CLOCK_H_

#include <ctime>

#include "absl/time/time.h"

namespace paddock {

// Time that no setting of the clock moves, as an absl::Time without a date:
// CLOCK_MONOTONIC, clock_gettime(2).
inline absl::Time MonotonicNow() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::TimeFromTimespec(now);
}

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_MONOTONIC_CLOCK_H_
