// The program process: see the theory of operation in init.cc. Everything here
// runs while the worker idles; ReceivePlanAndExec (exec.cc) waits for a client.
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/init/init.h"
#include "worker/init/landlock.h"
#include "worker/init/report.h"

namespace paddock::init {
namespace {

// What the worker or its starter ignored or blocked is not the program's, nor
// is a personality, which execve(2) keeps: address randomization may be off in
// it.
bool ResetSignals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    struct sigaction action = {};
    action.sa_handler = SIG_DFL;
    // Two real-time signals belong to libc, which refuses them.
    if (sigaction(signal, &action, nullptr) != 0 && errno != EINVAL) {
      return false;
    }
  }
  sigset_t none;
  sigemptyset(&none);
  return sigprocmask(SIG_SETMASK, &none, nullptr) == 0 &&
         syscall(SYS_personality, 0) >= 0;
}

// By writing "0" to `tasks` where there is one: a write to `cgroup.procs` waits
// for an RCU grace period of some 11 ms.
bool JoinCgroups(const SetupPlan& plan) {
  for (int i = 0; i < plan.join_count; ++i) {
    if (write(plan.join_fds[i], "0", 1) != 1) return false;
    close(plan.join_fds[i]);
  }
  if (plan.cgroup_fd >= 0) close(plan.cgroup_fd);
  // What the worker is held to is not for programs, and before Linux 6.3 a
  // child cloned into a group has its parent's CPUs, not the group's.
  return plan.cpu_mask_bytes == 0 ||
         syscall(SYS_sched_setaffinity, 0, plan.cpu_mask_bytes,
                 plan.cpu_mask) == 0;
}

// The host's id of the program, with all capabilities kept: hosts that forbid
// user namespaces let a holder of CAP_SYS_ADMIN make one.
bool TakeHostId(uint32_t id) {
  const int bits = prctl(PR_GET_SECUREBITS);
  return bits >= 0 &&
         prctl(PR_SET_SECUREBITS, bits | SECBIT_NO_SETUID_FIXUP) == 0 &&
         syscall(SYS_setresgid, id, id, id) == 0 &&
         syscall(SYS_setresuid, id, id, id) == 0 &&
         prctl(PR_SET_DUMPABLE, 0) == 0;  // a change of ids may set it
}

// What the kernel counts for a user it counts for whoever made his namespace
// too: namespaces(7), "The /proc/sys/user directory"; kernel/ucount.c. Made by
// root, the timers of all sandboxes would be root's, and use up each other's.
bool EnterUserNamespace(const SetupPlan& plan) {
  if (plan.drop_groups && syscall(SYS_setgroups, 0, nullptr) != 0) {
    return false;
  }
  if (!TakeHostId(plan.program_host_id)) return false;
  return unshare(CLONE_NEWUSER | (plan.lock_mounts ? CLONE_NEWNS : 0)) == 0;
}

// Which user namespace's limit a path leads to is decided when it is looked up,
// so not before unshare.
bool LimitCount(int sysctl_fd, const char* file, const char* value) {
  const auto length = static_cast<ssize_t>(strlen(value));
  if (length == 0) return true;
  const int fd = openat(sysctl_fd, file, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, value, length) != length) return false;
  return close(fd) == 0;
}

// What this user namespace may have, whatever its members are allowed:
// namespaces(7). No other namespace of users: a second line below the filter.
// Of inotify its part of what is counted for all sandboxes together.
bool LimitNamespaces(const SetupPlan& plan) {
  const int fd = plan.sysctl_fd;
  return LimitCount(fd, "user/max_user_namespaces", "0") &&
         LimitCount(fd, "user/max_inotify_instances", plan.inotify_instances) &&
         LimitCount(fd, "user/max_inotify_watches", plan.inotify_watches) &&
         close(fd) == 0;
}

bool WaitForIdMaps(int plan_fd) {
  Report report = {};
  report.kind = ReportKind::kNeedIdMaps;
  if (!SendReport(plan_fd, report)) _exit(0);
  char answer = 0;
  const ssize_t n = read(plan_fd, &answer, 1);
  if (n == 0) _exit(0);  // the worker is gone
  if (n == 1 && answer != kIdMapsWritten) errno = EPROTO;
  return n == 1 && answer == kIdMapsWritten;
}

bool BecomeUser(const SetupPlan& plan) {
  const gid_t gid = plan.program_gid;
  const uid_t uid = plan.program_uid;
  return syscall(SYS_setresgid, gid, gid, gid) == 0 &&
         syscall(SYS_setresuid, uid, uid, uid) == 0;
}

// Entering the user namespace gave all of them back: user_namespaces(7).
bool DropCapabilities() {
  constexpr unsigned long kLockedBits =
      SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
      SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
      SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
  if (prctl(PR_SET_SECUREBITS, kLockedBits) != 0) return false;
  if (!EmptyBoundingSet() || !EmptyCapabilitySets()) return false;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return false;
  // After the last change of credentials, which clears it.
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

// Descriptor 0 until the plan says otherwise; 1 and 2 are the pipes.
bool OpenStandardStreams(const SetupPlan& plan) {
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, 0) != 0) return false;
  close(null);
  return dup2(plan.stdout_fd, 1) == 1 && dup2(plan.stderr_fd, 2) == 2;
}

// 1 is too small for a file, and the only limit (0 is not) with which the
// kernel starts no helper of the host, outside of the sandbox: core(5). The
// filter keeps it. Where the service itself may have none, paddockd has made
// sure that there is no helper.
bool LimitCore() {
  const rlimit one = {1, 1};
  const rlimit none = {0, 0};
  return setrlimit(RLIMIT_CORE, &one) == 0 ||
         (errno == EPERM && setrlimit(RLIMIT_CORE, &none) == 0);
}

// The listener goes to the worker with the report that we are ready.
bool LoadFilter(const SetupPlan& plan) {
  const sock_fprog program = {plan.filter_length,
                              const_cast<sock_filter*>(plan.filter)};
  const int listener =
      static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                               SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
  if (listener < 0) return false;
  Report ready = {};
  ready.kind = ReportKind::kProgramReady;
  if (!SendReport(plan.plan_fd, ready, &listener, 1)) _exit(0);
  close(listener);
  return true;
}

}  // namespace

void RunProgram(const SetupPlan& plan) {
  using enum SetupStep;
  const StepReporter step(plan.plan_fd);
  step.Run(kJoinCgroup, JoinCgroups(plan));  // so that its group sees all of it
  int keep[] = {plan.plan_fd, plan.stdout_fd, plan.stderr_fd, plan.sysctl_fd};
  step.Run(kCloseDescriptors, CloseAllBut(keep, 4));
  step.Run(kResetSignals, ResetSignals());
  step.Run(kUnshareCgroup, unshare(CLONE_NEWCGROUP) == 0);
  step.Run(kUnshareUser, EnterUserNamespace(plan));
  step.Run(kLimitNamespaces, LimitNamespaces(plan));
  step.Run(kWaitIdMaps, WaitForIdMaps(plan.plan_fd));
  step.Run(kBecomeUser, BecomeUser(plan));
  step.Run(kDropCapabilities, DropCapabilities());
  step.Run(kNewSession, setsid() > 0);  // no terminal
  step.Run(kOpenNull, OpenStandardStreams(plan));
  step.Run(kLimitCore, LimitCore());
  if (plan.landlock_abi > 0) {
    step.Run(kLandlock, RestrictWithLandlock(plan.landlock_abi, plan.loopback));
  }
  step.Run(kSeccomp, LoadFilter(plan));
  ReceivePlanAndExec(plan.plan_fd, plan.stdout_fd, plan.stderr_fd);
}

}  // namespace paddock::init
