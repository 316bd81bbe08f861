#ifndef PADDOCK_SERVER_API_UNIX_SOCKET_LOCK_H_
#define PADDOCK_SERVER_API_UNIX_SOCKET_LOCK_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// The right to bind a Unix socket's path, held by a lock (flock(2)) on
// `path`.lock until the process ends. gRPC 1.51 removes whatever stands at a
// path before it binds it, a living server's socket included: so the lock comes
// first. The lock file stays: removing it would let two servers lock two files.
class UnixSocketLock {
 public:
  // Takes the lock and removes a socket that a dead server left.
  // FailedPrecondition if a living server holds the lock, or if something that
  // is no socket stands at `path`.
  static absl::StatusOr<UnixSocketLock> Take(const std::string& path);

 private:
  explicit UnixSocketLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_API_UNIX_SOCKET_LOCK_H_
