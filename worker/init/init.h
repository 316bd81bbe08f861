#ifndef PADDOCK_WORKER_INIT_INIT_H_
#define PADDOCK_WORKER_INIT_INIT_H_

#include "worker/init/plan.h"

namespace paddock::init {

// Runs in the child of clone3, as pid 1 of the new pid namespace, as root of
// the host's user namespace. Makes only async-signal-safe calls:
// signal-safety(7).
[[noreturn]] void RunSandboxInit(const SetupPlan& plan);

// Runs in init's child. See the theory of operation in init.cc.
[[noreturn]] void RunProgram(const SetupPlan& plan);

// The second half of RunProgram: reads the plan, execs. Needs no privilege.
[[noreturn]] void ReceivePlanAndExec(int plan_fd, int stdout_fd, int stderr_fd);

}  // namespace paddock::init

#endif  // PADDOCK_WORKER_INIT_INIT_H_
