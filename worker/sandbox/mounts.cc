#include "worker/sandbox/mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "worker/base/status_macros.h"

namespace paddock {

absl::Status MakeDirectory(const std::string& path, unsigned mode) {
  if (mkdir(path.c_str(), mode) != 0) {
    return ErrnoStatus(errno, absl::StrCat("mkdir ", path));
  }
  return absl::OkStatus();
}

absl::Status MountTmpfs(const std::string& path, unsigned long flags,
                        const std::string& options) {
  if (mount("tmpfs", path.c_str(), "tmpfs", flags, options.c_str()) != 0) {
    return ErrnoStatus(errno,
                       absl::StrCat("mount tmpfs ", options, " on ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> CloneTree(const std::string& path) {
  UniqueFd tree(open_tree(AT_FDCWD, path.c_str(),
                          OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
  if (!tree.valid()) {
    return ErrnoStatus(errno, absl::StrCat("open_tree ", path));
  }
  return tree;
}

absl::Status SetMountAttributes(int mount, const std::string& path,
                                uint64_t attributes, bool recursive) {
  mount_attr attr = {};
  attr.attr_set = attributes;
  unsigned flags = path.empty() ? AT_EMPTY_PATH : 0;
  if (recursive) flags |= AT_RECURSIVE;
  if (mount_setattr(mount, path.c_str(), flags, &attr, sizeof(attr)) != 0) {
    return ErrnoStatus(errno, absl::StrCat("mount_setattr ", path));
  }
  return absl::OkStatus();
}

absl::Status AttachTree(const UniqueFd& tree, const std::string& path) {
  if (move_mount(tree.get(), "", AT_FDCWD, path.c_str(),
                 MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return ErrnoStatus(errno, absl::StrCat("move_mount to ", path));
  }
  return absl::OkStatus();
}

absl::Status BindReadOnly(const std::string& from, const std::string& to) {
  ASSIGN_OR_RETURN(UniqueFd tree, CloneTree(from));
  RETURN_IF_ERROR(SetMountAttributes(
      tree.get(), "", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
      true));
  return AttachTree(tree, to);
}

}  // namespace paddock
