#include "server/supervisor/backoff.h"

#include <algorithm>

namespace paddock {

absl::Duration Backoff::NextDelay(absl::Duration lifetime) {
  if (lifetime >= kGoodLife) short_lives_ = 0;
  const int before = short_lives_++;
  if (before == 0) return absl::ZeroDuration();  // the first may be an accident
  // 2^20 * 100 ms is far above kMost already.
  return std::min(kMost, kFirst * (1 << std::min(before - 1, 20)));
}

}  // namespace paddock
