#include "worker/sandbox/worker_tree.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"
#include "worker/sandbox/mounts.h"

namespace paddock {
namespace {

// Where the tree is built, covered in our mount namespace only: a directory
// that every host has and no image lies in.
constexpr char kStage[] = "/proc";

absl::Status MakeRoot() {
  if (chdir(kStage) != 0) return ErrnoStatus(errno, "chdir");
  // The old root ends up on top of the new one: pivot_root(2), NOTES.
  if (syscall(SYS_pivot_root, ".", ".") != 0) {
    return ErrnoStatus(errno, "pivot_root");
  }
  if (umount2(".", MNT_DETACH) != 0) {
    return ErrnoStatus(errno, "detach the host's root");
  }
  if (chdir("/") != 0) return ErrnoStatus(errno, "chdir /");
  return absl::OkStatus();
}

// Lasts as long as descriptors below it.
absl::StatusOr<UniqueFd> MountDetached(const char* type) {
  UniqueFd context(fsopen(type, FSOPEN_CLOEXEC));
  if (!context.valid()) {
    return ErrnoStatus(errno, absl::StrCat("fsopen ", type));
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return ErrnoStatus(errno, absl::StrCat("fsconfig ", type));
  }
  UniqueFd mount(
      fsmount(context.get(), FSMOUNT_CLOEXEC,
              MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (!mount.valid()) return ErrnoStatus(errno, absl::StrCat("fsmount ", type));
  return mount;
}

// As each request does to the tmpfs of its workspace. A filter that refuses
// these calls is to be found before one comes.
absl::Status TryReconfiguring(const char* path) {
  UniqueFd context(fspick(AT_FDCWD, path, FSPICK_CLOEXEC));
  if (!context.valid()) return ErrnoStatus(errno, "fspick");
  if (fsconfig(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) !=
      0) {
    return ErrnoStatus(errno, "fsconfig");
  }
  return absl::OkStatus();
}

}  // namespace

std::string ImageTreePath(const std::string& image) {
  return absl::StrCat("/images/", image);
}

absl::Status EnterPrivateNamespaces() {
  if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0) {
    return ErrnoStatus(errno, "unshare(CLONE_NEWNS | CLONE_NEWNET)");
  }
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return ErrnoStatus(errno, "make all mounts private");
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenUnmountedCgroup2(const std::string& below) {
  ASSIGN_OR_RETURN(const UniqueFd mount, MountDetached("cgroup2"));
  const absl::string_view relative = absl::StripPrefix(below, "/");
  return OpenAt(mount.get(), relative.empty() ? "." : std::string(relative),
                O_RDONLY | O_DIRECTORY);
}

absl::StatusOr<UniqueFd> OpenSysctl() {
  const absl::StatusOr<UniqueFd> mount = MountDetached("proc");
  if (mount.ok()) return OpenAt(mount->get(), "sys", O_PATH | O_DIRECTORY);
  // Without root on the host nobody mounts a /proc of the host's processes.
  if (ErrnoOf(mount.status()) != EPERM) return mount.status();
  ASSIGN_OR_RETURN(UniqueFd sys,
                   OpenAt(AT_FDCWD, "/proc/sys", O_PATH | O_DIRECTORY));
  struct statvfs fs;
  if (fstatvfs(sys.get(), &fs) != 0) return ErrnoStatus(errno, "fstatvfs");
  if ((fs.f_flag & ST_RDONLY) != 0) sys.Reset();
  return sys;
}

absl::Status BuildWorkerTree(const std::vector<ImageSource>& images) {
  ASSIGN_OR_RETURN(UniqueFd proc, CloneTree("/proc"));
  RETURN_IF_ERROR(MountTmpfs(kStage, MS_NOSUID | MS_NODEV,
                             "mode=755,size=1m,nr_inodes=1024"));
  RETURN_IF_ERROR(TryReconfiguring(kStage));
  const auto staged = [](const std::string& path) {
    return absl::StrCat(kStage, path);
  };
  for (const char* name : {"/images", "/proc", kNewRoot}) {
    RETURN_IF_ERROR(MakeDirectory(staged(name)));
  }
  for (const ImageSource& image : images) {
    const std::string tree = staged(ImageTreePath(image.name));
    RETURN_IF_ERROR(MakeDirectory(tree));
    const absl::Status status = BuildImageTree(image, tree);
    if (!status.ok()) {
      return Annotate(status, absl::StrCat("image `", image.name, "`: "));
    }
  }
  RETURN_IF_ERROR(AttachTree(proc, staged("/proc")));
  return MakeRoot();
}

}  // namespace paddock
