#ifndef PADDOCK_WORKER_SANDBOX_IMAGE_TREE_H_
#define PADDOCK_WORKER_SANDBOX_IMAGE_TREE_H_

#include <string>

#include "absl/status/status.h"

namespace paddock {

// An image as the operator configured it.
struct ImageSource {
  std::string name;
  // Absolute path of a root file system; empty: chosen parts of this host.
  std::string directory;
};

// Builds, at the empty directory `tree`, the mount tree that every sandbox of
// the image gets a clone of: a small read-only tmpfs with the image's top-level
// directories mounted read-only, nosuid and nodev, /dev, and empty mount points
// for /proc, /tmp and /work. Needs CAP_SYS_ADMIN and a mount namespace of
// one's own in which nothing is shared.
absl::Status BuildImageTree(const ImageSource& image, const std::string& tree);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_IMAGE_TREE_H_
