#ifndef PADDOCK_WORKER_SANDBOX_PRIVILEGES_H_
#define PADDOCK_WORKER_SANDBOX_PRIVILEGES_H_

#include <linux/filter.h>

#include <vector>

#include "absl/status/status.h"

namespace paddock {

// What the worker keeps of root: enough to build sandboxes, too little to load
// a module, trace a process or change the clock. Cuts the bounding set and all
// other sets, makes the process non-dumpable and loads `filter`, which children
// inherit. Cannot be undone. `maps_root`: programs run under the worker's own
// id, which needs CAP_SETFCAP to be mapped: user_namespaces(7).
absl::Status CutWorkerPrivileges(const std::vector<sock_filter>& filter,
                                 bool maps_root);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_PRIVILEGES_H_
