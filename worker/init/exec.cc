// The program process from its plan to execve. It holds no privilege and runs
// under the filter, so every system call here must be one that the sandbox's
// policy allows.
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/init/init.h"
#include "worker/init/plan_check.h"
#include "worker/init/report.h"

namespace paddock::init {
namespace {

// Static, because a stack of this size would be charged to the job: of these
// only the pages that are used are touched.
alignas(ProgramPlan) char g_packet[kMaxPlanPacket];
PlanStrings g_strings;

// Reads the packet and the descriptor for stdin (-1: none came).
ssize_t ReceivePlan(int plan_fd, int* stdin_fd) {
  iovec iov = {g_packet, sizeof(g_packet)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  *stdin_fd = -1;
  ssize_t n;
  do {
    n = recvmsg(plan_fd, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) _exit(0);  // the worker is gone, or throws us away unused
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    memcpy(stdin_fd, CMSG_DATA(header), sizeof(int));
  }
  return n;
}

bool SetRlimits(const ProgramPlan& plan) {
  for (uint32_t i = 0; i < plan.rlimit_count; ++i) {
    const rlimit limit = {plan.rlimits[i].soft, plan.rlimits[i].hard};
    if (setrlimit(static_cast<__rlimit_resource>(plan.rlimits[i].resource),
                  &limit) != 0) {
      return false;
    }
  }
  return true;
}

bool Redirect(const ProgramPlan& plan, int stdin_fd) {
  if (stdin_fd >= 0 && dup2(stdin_fd, 0) != 0) return false;
  if (plan.flags & (kDiscardStdout | kDiscardStderr)) {
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0) return false;
    if ((plan.flags & kDiscardStdout) && dup2(null, 1) != 1) return false;
    if ((plan.flags & kDiscardStderr) && dup2(null, 2) != 2) return false;
  }
  return !(plan.flags & kStderrToStdout) || dup2(1, 2) == 2;
}

// A link of /proc to a descriptor or a root leads wherever that is, also out of
// the tree: openat2(2), RESOLVE_NO_MAGICLINKS.
bool ChangeDirectory(const char* path) {
  open_how how = {};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_NO_MAGICLINKS;
  const int fd =
      static_cast<int>(syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)));
  if (fd < 0 || fchdir(fd) != 0) return false;
  close(fd);
  // "(unreachable)" stands before one that is not below the root: getcwd(3).
  char seen[PATH_MAX];
  if (syscall(SYS_getcwd, seen, sizeof(seen)) < 0) return false;
  if (seen[0] != '/') errno = EXDEV;
  return seen[0] == '/';
}

// Like execvpe(3), without allocating. Returns only on failure, with errno.
void ExecAlongPath(const char* path) {
  static char candidate[8192];
  const char* const name = g_strings.argv[0];
  if (*path == '\0' || strchr(name, '/') != nullptr) {
    execve(name, g_strings.argv, g_strings.env);
    return;
  }
  const size_t name_length = strlen(name);
  bool denied = false;
  for (const char* at = path; at != nullptr;) {
    const char* colon = strchr(at, ':');
    const size_t length = colon ? colon - at : strlen(at);
    if (length + name_length + 2 <= sizeof(candidate)) {
      memcpy(candidate, at, length);
      size_t used = length;
      if (used > 0) candidate[used++] = '/';  // an empty entry: here
      memcpy(candidate + used, name, name_length + 1);
      execve(candidate, g_strings.argv, g_strings.env);
      if (errno == EACCES) {
        denied = true;
      } else if (errno != ENOENT && errno != ENOTDIR) {
        return;
      }
    }
    at = colon ? colon + 1 : nullptr;
  }
  errno = denied ? EACCES : ENOENT;
}

}  // namespace

void ReceivePlanAndExec(int plan_fd, int stdout_fd, int stderr_fd) {
  using enum SetupStep;
  const StepReporter step(plan_fd);
  int stdin_fd = -1;
  const ssize_t received = ReceivePlan(plan_fd, &stdin_fd);
  const auto& plan = *reinterpret_cast<const ProgramPlan*>(g_packet);
  step.Run(kCheckPlan,
           CheckPlan(g_packet, received, stdin_fd >= 0, &g_strings));
  step.Run(kRedirect, Redirect(plan, stdin_fd));
  close(stdout_fd);
  close(stderr_fd);
  step.Run(kChangeDirectory, ChangeDirectory(g_packet + plan.directory_offset));
  // Not closed outright: plan_fd must report a failed exec.
  step.Run(kCloseOnExec, close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0);
  step.Run(kSetRlimits, SetRlimits(plan));
  ExecAlongPath(g_packet + plan.path_offset);
  step.Fail(kExec);
}

}  // namespace paddock::init
