#ifndef PADDOCK_SERVER_SUPERVISOR_RUN_SUPERVISOR_H_
#define PADDOCK_SERVER_SUPERVISOR_RUN_SUPERVISOR_H_

#include <string>

#include "paddock/config/v1/config.pb.h"
#include "server/config/defaults.h"

namespace paddock {

struct SupervisorFlags {
  int ready_fd = -1;          // -1: none
  std::string worker_binary;  // empty: found from where paddockd is
  bool rootless = false;      // as AcquirePrivileges said
};

// What the configuration's defaults depend on, of this host and this process.
HostFacts LookAtHost(bool rootless);

// Prepares the host for the service and runs it until it is told to stop.
// AcquirePrivileges() must have succeeded.
// Returns the exit code; says why on the log if it is not 0.
int RunSupervisor(const config::v1::Config& config,
                  const SupervisorFlags& flags);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_RUN_SUPERVISOR_H_
