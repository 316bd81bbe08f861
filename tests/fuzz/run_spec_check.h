#ifndef PADDOCK_TESTS_FUZZ_RUN_SPEC_CHECK_H_
#define PADDOCK_TESTS_FUZZ_RUN_SPEC_CHECK_H_

#include "paddock/config/v1/config.pb.h"
#include "worker/sandbox/run_spec.h"

namespace paddock::fuzz {

// The configuration of a small host without a file.
const config::v1::Config& HostConfig();

// What must hold for a run that passed the worker's checks: nothing above the
// operator's maximum, no path outside the writable directories, no NUL where
// execve(2) would cut.
void ExpectHarmless(const RunSpec& spec, const v1::Limits& max);

}  // namespace paddock::fuzz

#endif  // PADDOCK_TESTS_FUZZ_RUN_SPEC_CHECK_H_
