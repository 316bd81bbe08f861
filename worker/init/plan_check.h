#ifndef PADDOCK_WORKER_INIT_PLAN_CHECK_H_
#define PADDOCK_WORKER_INIT_PLAN_CHECK_H_

#include <sys/types.h>

#include "worker/init/plan.h"

namespace paddock::init {

// Where the strings of a plan stand in its packet; null after the last, as
// execve(2) wants them. 64 KiB: not for a stack that is charged to the job.
struct PlanStrings {
  char* argv[kMaxPlanStrings + 1];
  char* env[kMaxPlanStrings + 1];
};

// Checks the `received` bytes at `packet`, which is aligned as a ProgramPlan
// and came with a descriptor or without. True: every offset of the plan stands
// for a string inside the packet, and `strings` is filled. False: errno is
// EPROTO.
bool CheckPlan(char* packet, ssize_t received, bool has_stdin,
               PlanStrings* strings);

}  // namespace paddock::init

#endif  // PADDOCK_WORKER_INIT_PLAN_CHECK_H_
