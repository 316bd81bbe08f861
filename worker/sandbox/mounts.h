#ifndef PADDOCK_WORKER_SANDBOX_MOUNTS_H_
#define PADDOCK_WORKER_SANDBOX_MOUNTS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// The mount calls, as absl::Status. mount(2), open_tree(2), mount_setattr(2).

absl::Status MakeDirectory(const std::string& path, unsigned mode = 0755);
absl::Status MountTmpfs(const std::string& path, unsigned long flags,
                        const std::string& options);

// A detached clone of the tree at `path`, with what is mounted below it.
absl::StatusOr<UniqueFd> CloneTree(const std::string& path);
// Sets MOUNT_ATTR_* on a mount; `recursive`: on those below it too.
absl::Status SetMountAttributes(int mount, const std::string& path,
                                uint64_t attributes, bool recursive);
// Attaches a detached tree at `path`.
absl::Status AttachTree(const UniqueFd& tree, const std::string& path);

// Clones `from`, makes it read-only, nosuid and nodev, attaches it at `to`.
absl::Status BindReadOnly(const std::string& from, const std::string& to);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_MOUNTS_H_
