#ifndef PADDOCK_SERVER_SUPERVISOR_PRIVILEGES_H_
#define PADDOCK_SERVER_SUPERVISOR_PRIVILEGES_H_

#include "absl/status/status.h"
#include "paddock/config/v1/config.pb.h"

namespace paddock {

// FailedPrecondition, with what to do about it, unless this process is root
// with every capability the supervisor and the workers need.
absl::Status CheckPrivileges();

// FailedPrecondition unless every host id the sandboxes will use means
// something in this process's user namespace: user_namespaces(7).
absl::Status CheckHostIdsAreMapped(const config::v1::Config& config);

// The highest hard RLIMIT_NOFILE this process can have.
int64_t HighestOpenFilesLimit();

// Raises the hard and the soft RLIMIT_NOFILE so that programs can be given
// `programs` descriptors and the server can hold many connections.
absl::Status RaiseOpenFilesLimit(int64_t programs);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_PRIVILEGES_H_
