#ifndef PADDOCK_WORKER_SANDBOX_INOTIFY_SHARE_H_
#define PADDOCK_WORKER_SANDBOX_INOTIFY_SHARE_H_

#include <string>

#include "absl/status/statusor.h"

namespace paddock {

// What one sandbox may have of inotify where the kernel counts all of them for
// one user, as numbers for its own user.max_inotify_instances and _watches:
// namespaces(7), "The /proc/sys/user directory". Empty: nothing to be written.
struct InotifyShare {
  std::string instances;
  std::string watches;
};

// Of what that user may have, a part for each of `workers` and one for himself,
// but at least 1. `sysctl` is the directory sys of a /proc. Process: worker.
absl::StatusOr<InotifyShare> ShareInotify(int sysctl, int workers);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_INOTIFY_SHARE_H_
