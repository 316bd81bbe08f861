#include "worker/sandbox/worker_tree.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"
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

// By a child in a pid namespace of its own: without root on the host nobody
// mounts a /proc of the host's processes. What is in its sys is the same.
absl::StatusOr<UniqueFd> MountProcByChild() {
  ASSIGN_OR_RETURN(SocketPair pair, MakeSocketPair());
  clone_args args = {};
  args.flags = CLONE_NEWPID;
  args.exit_signal = SIGCHLD;
  const pid_t child =
      static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args)));
  if (child < 0) return ErrnoStatus(errno, "clone3 into a pid namespace");
  if (child == 0) {
    const absl::StatusOr<UniqueFd> mount = MountDetached("proc");
    if (!mount.ok()) _exit(ErrnoOf(mount.status()));
    _exit(SendPacket(pair.second.get(), "m", {mount->get()}).ok() ? 0 : EIO);
  }
  pair.second.Reset();
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return ErrnoStatus(WIFEXITED(status) ? WEXITSTATUS(status) : EIO,
                       "mount proc");
  }
  ASSIGN_OR_RETURN(Packet packet, ReceivePacket(pair.first.get(), 1));
  if (packet.descriptors.size() != 1) return ErrnoStatus(EIO, "mount proc");
  return std::move(packet.descriptors[0]);
}

// As a worker does for files of cgroups and of /proc, where it has other ways
// and no words for it if this one is closed by a filter.
absl::Status TryMountingDetached() { return MountDetached("tmpfs").status(); }

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
  absl::StatusOr<UniqueFd> mount = MountDetached("proc");
  if (ErrnoOf(mount.status()) == EPERM) {
    mount = MountProcByChild();
    // A sandbox begins with the same calls, and its errors say more.
    if (!mount.ok()) return UniqueFd();
  }
  RETURN_IF_ERROR(mount.status());
  return OpenAt(mount->get(), "sys", O_PATH | O_DIRECTORY);
}

absl::Status BuildWorkerTree(const std::vector<ImageSource>& images) {
  ASSIGN_OR_RETURN(UniqueFd proc, CloneTree("/proc"));
  RETURN_IF_ERROR(MountTmpfs(kStage, MS_NOSUID | MS_NODEV,
                             "mode=755,size=1m,nr_inodes=1024"));
  RETURN_IF_ERROR(TryMountingDetached());
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
