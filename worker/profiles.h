#ifndef PADDOCK_WORKER_PROFILES_H_
#define PADDOCK_WORKER_PROFILES_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "paddock/config/v1/config.pb.h"
#include "worker/policy/weakening.h"
#include "worker/sandbox/sandbox.h"

namespace paddock {

// The profiles of the operator's configuration, compiled, and "default", which
// is there whatever stands in it. `weakenings` gets those of all together.
// InvalidArgument for a weakening this worker does not know, and for a
// "default" that weakens anything: then no program runs at all.
absl::StatusOr<std::map<std::string, SandboxProfile>> MakeProfiles(
    const config::v1::Sandbox& config, Weakenings* weakenings);

}  // namespace paddock

#endif  // PADDOCK_WORKER_PROFILES_H_
