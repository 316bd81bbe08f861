#include "worker/sandbox/clone_probe.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "worker/base/status_macros.h"
#include "worker/sandbox/cgroup_files.h"

namespace paddock {

absl::StatusOr<bool> ChildClonedIntoCgroupLives(int parent,
                                                const std::string& name) {
  ASSIGN_OR_RETURN(CgroupDirectory group, CgroupDirectory::Make(parent, name));
  clone_args args = {};
  args.flags = CLONE_INTO_CGROUP;
  args.cgroup = static_cast<uint64_t>(group.fd());
  args.exit_signal = SIGCHLD;
  const pid_t child =
      static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args)));
  if (child == 0) _exit(0);
  const int error = errno;
  int status = 0;
  if (child > 0) {
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
  }
  const absl::Status removed = group.Remove();
  if (child < 0) return ErrnoStatus(error, "clone3 into a cgroup");
  RETURN_IF_ERROR(removed);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace paddock
