#ifndef PADDOCK_SERVER_SUPERVISOR_RUNTIME_DIRECTORY_H_
#define PADDOCK_SERVER_SUPERVISOR_RUNTIME_DIRECTORY_H_

#include <string>

#include "absl/status/status.h"
#include "server/supervisor/service_user.h"

namespace paddock {

// Sees to it that `user` can bind `unix_socket`. Its directory is made (0755,
// the user's) if it is missing; given to the user if it is root's and empty, as
// systemd's RuntimeDirectory= makes it; else left alone. FailedPrecondition if
// the user cannot create files in it. Process: supervisor, as root.
absl::Status PrepareRuntimeDirectory(const std::string& unix_socket,
                                     const ServiceUser& user);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_RUNTIME_DIRECTORY_H_
