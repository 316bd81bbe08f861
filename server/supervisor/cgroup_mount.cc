#include "server/supervisor/cgroup_mount.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "server/supervisor/child_process.h"
#include "worker/base/socket.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

absl::StatusOr<UniqueFd> MountDetached() {
  UniqueFd context(fsopen("cgroup2", FSOPEN_CLOEXEC));
  if (!context.valid()) return ErrnoStatus(errno, "fsopen(cgroup2)");
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return ErrnoStatus(errno, "fsconfig(cgroup2)");
  }
  UniqueFd mount(fsmount(context.get(), FSMOUNT_CLOEXEC, 0));
  if (!mount.valid()) return ErrnoStatus(errno, "fsmount(cgroup2)");
  return mount;
}

// By a child in a mount namespace of its own: only who is root of that too may
// mount. This process stays in the one it has, for the paths of its files.
absl::StatusOr<UniqueFd> MountDetachedByChild() {
  ASSIGN_OR_RETURN(SocketPair pair, MakeSocketPair());
  const pid_t child = fork();
  if (child < 0) return ForkError(errno);
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0) _exit(errno);
    const absl::StatusOr<UniqueFd> mount = MountDetached();
    if (!mount.ok()) _exit(ErrnoOf(mount.status()));
    _exit(SendPacket(pair.second.get(), "m", {mount->get()}).ok() ? 0 : EIO);
  }
  pair.second.Reset();
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return ErrnoStatus(WIFEXITED(status) ? WEXITSTATUS(status) : EIO,
                       "mount cgroup2");
  }
  ASSIGN_OR_RETURN(Packet packet, ReceivePacket(pair.first.get(), 1));
  if (packet.descriptors.size() != 1) return ErrnoStatus(EIO, "mount cgroup2");
  return std::move(packet.descriptors[0]);
}

}  // namespace

absl::StatusOr<UniqueFd> OpenUnmountedUnified(CgroupHierarchy* hierarchy) {
  absl::StatusOr<UniqueFd> mount = MountDetached();
  // The root of the new one is the group this process is in: what cgroup.parent
  // names beside it would not be there.
  if (ErrnoOf(mount.status()) != EPERM ||
      hierarchy->base_path != hierarchy->own_path ||
      unshare(CLONE_NEWCGROUP) != 0) {
    return mount;
  }
  hierarchy->own_path = hierarchy->base_path = "/";
  return MountDetachedByChild();
}

}  // namespace paddock
