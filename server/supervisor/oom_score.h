#ifndef PADDOCK_SERVER_SUPERVISOR_OOM_SCORE_H_
#define PADDOCK_SERVER_SUPERVISOR_OOM_SCORE_H_

#include "absl/status/status.h"

namespace paddock {

// What paddockd was started with, of proc(5): /proc/PID/oom_score_adj.
struct OomScore {
  int adjustment = 0;
  // May be set to -1000 without CAP_SYS_RESOURCE: as low as a process that had
  // the capability last left it.
  bool can_be_lowest = false;
  // CAP_SYS_RESOURCE in the initial user namespace, which nothing can set it
  // below 0 after.
  bool can_be_fixed = false;
};

// Sets the own adjustment to -1000 and back, to see whether that goes.
absl::Status LookAtOomScore(OomScore* score);

// Programs inherit it. A negative one makes the kernel end others first where
// the host's memory is used up, so workers give it up (worker/main.cc); -1000
// spares them at their own limit too. FailedPrecondition if a program could
// take that back.
absl::Status CheckOomScore(const OomScore& score);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_OOM_SCORE_H_
