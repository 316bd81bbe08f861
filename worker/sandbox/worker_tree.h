#ifndef PADDOCK_WORKER_SANDBOX_WORKER_TREE_H_
#define PADDOCK_WORKER_SANDBOX_WORKER_TREE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/base/unique_fd.h"
#include "worker/sandbox/image_tree.h"

namespace paddock {

// The worker's own, small root file system. It holds the images' trees and
// nothing else of the host but /proc: every sandbox's mount namespace begins as
// a copy of it, so a small one is cheap, and what is not there cannot leak.
inline constexpr char kNewRoot[] = "/newroot";
std::string ImageTreePath(const std::string& image);  // "/images/host"

// Step 1: mount and network namespaces of the worker's own, nothing shared.
absl::Status EnterPrivateNamespaces();

// A directory of the cgroup2 file system, for hosts that have it mounted
// nowhere: `below` is its path from that file system's root. The mount is
// detached, and lasts as long as the descriptor.
absl::StatusOr<UniqueFd> OpenUnmountedCgroup2(const std::string& below);

// The directory sys of a /proc of our own: where the host is a container, its
// /proc/sys is often read-only. As OpenUnmountedCgroup2, detached. Invalid
// where there is none to be had: no sandbox stands there.
absl::StatusOr<UniqueFd> OpenSysctl();

// Step 2: builds the tree and makes it the root. From here on no host path is
// reachable; descriptors opened before stay valid. An image that cannot be
// built fails the whole.
absl::Status BuildWorkerTree(const std::vector<ImageSource>& images);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_WORKER_TREE_H_
