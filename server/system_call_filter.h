#ifndef PADDOCK_SERVER_SYSTEM_CALL_FILTER_H_
#define PADDOCK_SERVER_SYSTEM_CALL_FILTER_H_

#include "absl/status/status.h"

namespace paddock {

// Loads the server's seccomp(2) filter for this thread and what it starts:
// EPERM for calls that a server of requests never makes and that a captured one
// would like to (exec, new processes, mounts, namespaces, tracing, kernel
// interfaces), everything else as before. Calls of another architecture kill
// the process. Sets no_new_privs.
absl::Status LoadServerFilter();

}  // namespace paddock

#endif  // PADDOCK_SERVER_SYSTEM_CALL_FILTER_H_
