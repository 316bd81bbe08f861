#ifndef PADDOCK_WORKER_CONVERT_H_
#define PADDOCK_WORKER_CONVERT_H_

#include "absl/status/statusor.h"
#include "paddock/v1/process.pb.h"
#include "paddock/v1/result.pb.h"
#include "worker/sandbox/run_spec.h"

namespace paddock {

// Between the protos of the channel and the plain types of worker/sandbox.

// Checks `process` as if a hostile server had sent it. InvalidArgument names
// the first field that is wrong; `max` are the operator's limits.
absl::StatusOr<RunSpec> ToRunSpec(const v1::Process& process,
                                  const v1::Limits& max);

// Overwrites what may be secret, once it is not needed any more: the next init
// is a copy of this process's memory.
void WipeEnvironment(v1::Process* process, RunSpec* spec);

// Takes captures and outputs out of `report`.
v1::ProcessResult ToProcessResult(const RunSpec& spec, RunReport report);

}  // namespace paddock

#endif  // PADDOCK_WORKER_CONVERT_H_
