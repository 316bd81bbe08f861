#ifndef PADDOCK_SERVER_SUPERVISOR_BACKOFF_H_
#define PADDOCK_SERVER_SUPERVISOR_BACKOFF_H_

#include "absl/time/time.h"

namespace paddock {

// How long to wait before a process that died is started again: not at all
// after a good life; else 100 ms, doubling to 10 s with each short one.
class Backoff {
 public:
  static constexpr absl::Duration kGoodLife = absl::Seconds(30);
  static constexpr absl::Duration kFirst = absl::Milliseconds(100);
  static constexpr absl::Duration kMost = absl::Seconds(10);

  // Of a process that has just died after `lifetime`.
  absl::Duration NextDelay(absl::Duration lifetime);

  // Short lives since the last good one.
  int short_lives() const { return short_lives_; }

 private:
  int short_lives_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_BACKOFF_H_
