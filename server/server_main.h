#ifndef PADDOCK_SERVER_SERVER_MAIN_H_
#define PADDOCK_SERVER_SERVER_MAIN_H_

#include "paddock/internal/v1/launch.pb.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// The role "server": serves gRPC and HTTP until SIGTERM, and returns the exit
// code: 0 after a stop that was asked for, 1 if it could not start (the log
// says why). The process has one thread, no privilege, and a configuration that
// is checked. `control` is the server's end of the supervisor's socket; when
// that closes the process exits at once.
int RunServer(const internal::v1::ServerLaunch& launch, UniqueFd control);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SERVER_MAIN_H_
