// Theory of operation: the processes of one sandbox.
//   worker   outside, root with a cut bounding set. Made the cgroups and the
//            template trees, holds one end of every socket and pipe below.
//   init     pid 1 of the sandbox, in the worker's own cgroup. Root of the
//            host's user namespace until the root file system stands, then a
//            host uid of its own without any capability, not dumpable.
//   program  pid 2, born in the cgroup <sandbox>, in a user and a cgroup
//            namespace of its own. Without privilege, filtered and under
//            Landlock before it is told what to run.
// status socket  init -> worker      kDirectories, kInitReady, kProgramEnded,
// or
//                                    one kSetupFailure. Also init's lifeline:
//                                    end of file means the worker is gone.
// plan socket    program <-> worker  kNeedIdMaps, kProgramReady, then the plan;
//                                    after it end of file: exec succeeded; or
//                                    one kSetupFailure. Also its lifeline.
// stdout, stderr program -> worker   pipes, read with a cap.
// Whatever ends pid 1 ends everything in the sandbox: pid_namespaces(7).
#include "worker/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "worker/init/proc_mask.h"
#include "worker/init/report.h"

namespace paddock::init {
namespace {

bool CloseInherited(const SetupPlan& plan) {
  int keep[kMaxJoinFiles + 6];
  int count = 0;
  keep[count++] = plan.status_fd;
  keep[count++] = plan.plan_fd;
  keep[count++] = plan.stdout_fd;
  keep[count++] = plan.stderr_fd;
  keep[count++] = plan.sysctl_fd;
  if (plan.cgroup_fd >= 0) keep[count++] = plan.cgroup_fd;
  for (int i = 0; i < plan.join_count; ++i) keep[count++] = plan.join_fds[i];
  return CloseAllBut(keep, count);
}

// The template tree holds the image, /etc, /dev and every mount point.
bool AttachImage(const SetupPlan& plan) {
  const int tree =
      open_tree(AT_FDCWD, plan.image_tree,
                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
  if (tree < 0) return false;
  if (move_mount(tree, "", AT_FDCWD, plan.new_root, MOVE_MOUNT_F_EMPTY_PATH) !=
      0) {
    return false;
  }
  return close(tree) == 0 && chdir(plan.new_root) == 0;
}

bool MountTmpfs(const char* where, const char* options) {
  return mount("tmpfs", where, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
}

// The worker reaches the writable directories by these descriptors only, and
// the network namespace to ask what its sockets hold.
bool PassDirectories(const SetupPlan& plan) {
  static constexpr const char* kNames[] = {"work", "tmp", "dev/shm"};
  int fds[4];
  int count = 0;
  for (const char* name : kNames) {
    fds[count++] = open(name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fds[count - 1] < 0) return false;
  }
  if (plan.loopback) {
    fds[count++] =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fds[count - 1] < 0) return false;
  }
  Report report = {};
  report.kind = ReportKind::kDirectories;
  if (!SendReport(plan.status_fd, report, fds, count)) return false;
  while (count > 0) close(fds[--count]);
  return true;
}

// With both paths the same the old root ends up on top of the new one, and is
// detached from there: pivot_root(2), NOTES.
bool PivotRoot() {
  return syscall(SYS_pivot_root, ".", ".") == 0 &&
         umount2(".", MNT_DETACH) == 0 && chdir("/") == 0;
}

// Also by its file: a container's filter may refuse the call to whoever lacks
// CAP_SYS_ADMIN outside, though root of a user namespace may name its own host.
bool SetName(int (*call)(const char*, size_t), const char* file, int sysctl_fd,
             const char* name, size_t length) {
  if (call(name, length) == 0) return true;
  const int error = errno;
  const int fd =
      sysctl_fd < 0 ? -1 : openat(sysctl_fd, file, O_WRONLY | O_CLOEXEC);
  const bool written =
      fd >= 0 && write(fd, name, length) == static_cast<ssize_t>(length);
  if (fd >= 0) close(fd);
  if (!written) errno = error;
  return written;
}

bool SetNames(const SetupPlan& plan) {
  return SetName(sethostname, "kernel/hostname", plan.sysctl_fd, "paddock",
                 7) &&
         SetName(setdomainname, "kernel/domainname", plan.sysctl_fd,
                 "localdomain", 11);
}

// What a message asks the kernel to keep is charged to nobody: its controls
// while it waits, and with SO_TIMESTAMPING among them a copy of it all:
// socket(7). Where the kernel has one for all network namespaces, theirs cannot
// be written.
bool LimitSockets(int sysctl_fd) {
  constexpr struct {
    const char* file;
    const char* value;
    size_t length;
  } kSettings[] = {
      {"net/core/optmem_max", "20480", 5},  // as it was until Linux 6.7
      {"net/core/tstamp_allow_data", "0", 1},
      // Those that only remember a connection: they make each look of the
      // worker longer, and beyond them one that is closed is forgotten at once.
      {"net/ipv4/tcp_max_tw_buckets", "8192", 4},
  };
  for (const auto& [file, value, length] : kSettings) {
    const int fd = openat(sysctl_fd, file, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == EACCES)) continue;
    if (fd < 0 || write(fd, value, length) != static_cast<ssize_t>(length)) {
      return false;
    }
    close(fd);
  }
  return true;
}

bool LoopbackUp() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  ifreq request = {};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return false;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) return false;
  return close(fd) == 0;
}

pid_t CloneProgram(const SetupPlan& plan) {
  clone_args args = {};
  args.exit_signal = SIGCHLD;
  if (plan.cgroup_fd >= 0) {
    args.flags = CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(plan.cgroup_fd);
  }
  const pid_t pid =
      static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args)));
  if (pid == 0) RunProgram(plan);
  return pid;
}

// From here on init holds nothing but its status socket, and no right; later a
// signalfd besides, which leads nowhere.
bool DropInitPrivileges(const SetupPlan& plan) {
  int keep[] = {plan.status_fd};
  if (!CloseAllBut(keep, 1)) return false;
  for (int fd = 0; fd < 3; ++fd) close(fd);
  // The bounding set can be emptied only while CAP_SETPCAP is held, so before
  // the change of ids, which empties the other sets with it.
  const uid_t id = plan.init_uid;
  if (!EmptyBoundingSet()) return false;
  if (plan.drop_groups && syscall(SYS_setgroups, 0, nullptr) != 0) {
    return false;
  }
  if (syscall(SYS_setresgid, id, id, id) != 0) return false;
  if (syscall(SYS_setresuid, id, id, id) != 0) return false;
  if (!EmptyCapabilitySets()) return false;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return false;
  // After the last change of credentials, which clears it: prctl(2).
  return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

void ReapAll(pid_t program, int status_fd) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != program) continue;
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);  // orphans that ended before it, too
    Report report = {};
    report.kind = ReportKind::kProgramEnded;
    report.status = status;
    constexpr int64_t kSecond = 1'000'000'000;
    report.end_nanos = now.tv_sec * kSecond + now.tv_nsec;
    report.voluntary_switches = usage.ru_nvcsw;
    report.involuntary_switches = usage.ru_nivcsw;
    report.minor_faults = usage.ru_minflt;
    report.major_faults = usage.ru_majflt;
    constexpr int64_t kBlockBytes = 512;  // whatever the device's are
    report.io_read_bytes = usage.ru_inblock * kBlockBytes;
    report.io_write_bytes = usage.ru_oublock * kBlockBytes;
    if (!SendReport(status_fd, report)) _exit(0);
  }
}

[[noreturn]] void ReapUntilWorkerCloses(pid_t program, int status_fd,
                                        int signal_fd) {
  for (;;) {
    pollfd fds[2] = {{status_fd, POLLIN, 0}, {signal_fd, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[0].revents != 0) _exit(0);  // the worker is gone, or done with us
    signalfd_siginfo info;
    while (read(signal_fd, &info, sizeof(info)) > 0) {
    }
    ReapAll(program, status_fd);
  }
}

}  // namespace

void RunSandboxInit(const SetupPlan& plan) {
  using enum SetupStep;
  const StepReporter step(plan.status_fd);
  // First: a descriptor of the worker's kept open would hide its death.
  step.Run(kCloseDescriptors, CloseInherited(plan));
  step.Run(kAttachImage, AttachImage(plan));
  step.Run(kMountProc,
           mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 plan.proc_options) == 0);
  if (plan.full_proc) step.Run(kMaskProc, MaskProc());  // /work is empty yet
  step.Run(kMountTmp, MountTmpfs("tmp", plan.tmp_options));
  step.Run(kMountShm, MountTmpfs("dev/shm", plan.shm_options));
  step.Run(kMountWorkspace, MountTmpfs("work", plan.workspace_options));
  step.Run(kPassDescriptors, PassDirectories(plan));
  step.Run(kPivotRoot, PivotRoot());  // from here on no host path exists
  step.Run(kSetHostname, SetNames(plan));
  step.Run(kLimitSockets, LimitSockets(plan.sysctl_fd));
  if (plan.loopback) step.Run(kLoopbackUp, LoopbackUp());

  // Blocked before the clone, or the end of a program that dies at once is
  // lost.
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  const pid_t program = CloneProgram(plan);  // while we are still root
  step.Run(kCloneProgram, program > 0);
  step.Run(kDropInitPrivileges, DropInitPrivileges(plan));
  const int signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  step.Run(kDropInitPrivileges, signal_fd >= 0);

  Report ready = {};
  ready.kind = ReportKind::kInitReady;
  if (!SendReport(plan.status_fd, ready)) _exit(0);
  ReapAll(program, plan.status_fd);  // it may have ended already
  ReapUntilWorkerCloses(program, plan.status_fd, signal_fd);
}

}  // namespace paddock::init
