#ifndef PADDOCK_WORKER_SANDBOX_PROGRAM_PLAN_H_
#define PADDOCK_WORKER_SANDBOX_PROGRAM_PLAN_H_

#include <string>

#include "absl/status/statusor.h"
#include "worker/sandbox/run_spec.h"

namespace paddock {

// The flat message the program process gets: worker/init/plan.h. It holds
// secrets of the environment: the caller wipes it. ResourceExhausted if the
// strings do not fit, FailedPrecondition if a limit is above what the worker
// itself may set (it has no CAP_SYS_RESOURCE: setrlimit(2)).
absl::StatusOr<std::string> EncodeProgramPlan(const RunSpec& spec);

// What keeps a program from being exec'ed, by the errno of execve(2) or
// chdir(2).
FileFault ExecFaultOf(int error);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_PROGRAM_PLAN_H_
