#ifndef PADDOCK_SERVER_CONFINE_H_
#define PADDOCK_SERVER_CONFINE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "paddock/config/v1/config.pb.h"
#include "paddock/v1/enforcement.pb.h"

namespace paddock {

// Takes from the server process what parsing requests does not need. The
// supervisor has taken user, groups and capabilities already. Call it first:
// threads that exist are not confined. Whoever captures the server then has:
// no core file and no ptrace of it, no file but those that libraries read and
// the Unix socket's directory, no outgoing TCP, no exec, no child.
// Returns the layers as GetServerInfo shows them: the kernel may lack Landlock,
// and that is told, not an error. Anything else that fails is.
absl::StatusOr<std::vector<v1::LayerEnforcement>> ConfineServer(
    const config::v1::Config& config);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFINE_H_
