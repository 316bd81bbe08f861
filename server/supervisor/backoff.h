#ifndef PADDOCK_SERVER_SUPERVISOR_BACKOFF_H_
#define PADDOCK_SERVER_SUPERVISOR_BACKOFF_H_

#include "absl/time/time.h"

namespace paddock {

// How long to wait before a process that died is started again: not at all if
// it had worked; else, from the second time on, 100 ms, doubling to 10 s.
class Backoff {
 public:
  static constexpr absl::Duration kFirst = absl::Milliseconds(100);
  static constexpr absl::Duration kMost = absl::Seconds(10);

  // Of a process that has just died. `had_worked`: its life was no failure to
  // start.
  absl::Duration NextDelay(bool had_worked);

  // Failures to start, in a row.
  int failures() const { return failures_; }

 private:
  int failures_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_BACKOFF_H_
