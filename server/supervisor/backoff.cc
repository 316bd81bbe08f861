#include "server/supervisor/backoff.h"

#include <algorithm>

namespace paddock {

absl::Duration Backoff::NextDelay(bool had_worked) {
  if (had_worked) {
    failures_ = 0;
    return absl::ZeroDuration();
  }
  const int before = failures_++;
  if (before == 0) return absl::ZeroDuration();  // it may be an accident
  // 2^20 * 100 ms is far above kMost already.
  return std::min(kMost, kFirst * (1 << std::min(before - 1, 20)));
}

}  // namespace paddock
