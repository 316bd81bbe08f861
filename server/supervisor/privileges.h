#ifndef PADDOCK_SERVER_SUPERVISOR_PRIVILEGES_H_
#define PADDOCK_SERVER_SUPERVISOR_PRIVILEGES_H_

#include <cstdint>

#include "absl/status/status.h"

namespace paddock {

// Makes sure that this process is root with every capability the supervisor and
// the workers need. Started by an ordinary user, it becomes root of a user
// namespace of its own: `rootless` says so. So does root that lacks some of
// them, as in a container, but with all ids, so that all else is as for root.
// FailedPrecondition tells what is missing, and what to do about it.
absl::Status AcquirePrivileges(bool* rootless);

// CAP_SYS_RESOURCE over the host itself: that of a user namespace is none over
// limits, capabilities(7).
bool HasSysResourceOfHost();

// The highest hard RLIMIT_NOFILE this process can have.
int64_t HighestOpenFilesLimit();

// Raises the hard and the soft RLIMIT_NOFILE so that programs can be given
// `programs` descriptors and the server can hold many connections.
absl::Status RaiseOpenFilesLimit(int64_t programs);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_PRIVILEGES_H_
