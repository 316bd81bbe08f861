// The kernel takes the filters and does what the evaluator says. Each probe
// runs in a child of its own; each denial has a control without a filter.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "tests/support/filter_calls.h"
#include "tests/support/skip.h"
#include "worker/base/socket.h"

namespace paddock {
namespace {

using Program = std::vector<sock_filter>;

// In a child: no gtest, no return. The exit code is the errno of the probe, 0
// if it succeeded; 200 and more: the set-up failed.
constexpr int kSetupFailed = 200;

int Load(Program& program, unsigned flags) {
  sock_fprog loaded = {static_cast<unsigned short>(program.size()),
                       program.data()};
  return static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &loaded));
}

// As a program has them: the worker's, then its own with a listener. Returns
// the listener.
int LoadBoth(Program worker, Program own) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(kSetupFailed);
  if (Load(worker, 0) != 0) _exit(kSetupFailed + 1);
  const int listener = Load(own, SECCOMP_FILTER_FLAG_NEW_LISTENER);
  if (listener < 0) _exit(kSetupFailed + 2);
  return listener;
}

// Probes return what the system call does: -1 with errno.
using Probe = long (*)();

int ExitCodeOf(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "status " << status;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int Unfiltered(Probe probe) {
  const pid_t child = fork();
  if (child == 0) _exit(probe() == -1 ? errno : 0);
  return ExitCodeOf(child);
}

int Filtered(Probe probe, bool internet_sockets = false) {
  const Program worker = *CompileWorkerFilter();
  const Program own =
      *CompileSandboxFilter({.internet_sockets = internet_sockets});
  const pid_t child = fork();
  if (child == 0) {
    LoadBoth(worker, own);
    _exit(probe() == -1 ? errno : 0);
  }
  return ExitCodeOf(child);
}

int WorkerFiltered(Probe probe) {
  Program worker = *CompileWorkerFilter();
  const pid_t child = fork();
  if (child == 0) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(kSetupFailed);
    if (Load(worker, 0) != 0) _exit(kSetupFailed + 1);
    _exit(probe() == -1 ? errno : 0);
  }
  return ExitCodeOf(child);
}

long ProbePersonality() { return personality(ADDR_NO_RANDOMIZE); }
long ProbeNetlink() { return socket(AF_NETLINK, SOCK_RAW, 0); }
long ProbeInternet() { return socket(AF_INET, SOCK_STREAM, 0); }
long ProbeUnix() { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }
long ProbePtrace() { return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }
long ProbeClone3() { return syscall(SYS_clone3, nullptr, 0); }
// A file that is no terminal: ENOTTY comes from the kernel behind the filter.
long ProbeTiocsti() {
  return syscall(SYS_ioctl, open("/dev/null", O_RDONLY),
                 0x100000000UL | TIOCSTI, "x");
}
long ProbeInit() {
  return syscall(SYS_prlimit64, getppid(), 7, nullptr, nullptr);
}
long ProbeOwnLimit() { return syscall(SYS_prlimit64, 0, 7, nullptr, nullptr); }
long ProbeFork() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  return waitpid(child, nullptr, 0);
}
long ProbeMap() {
  void* memory =
      mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? -1 : 0;
}

TEST(FilterLoadTest, DenialsAndTheirControls) {
  EXPECT_EQ(Unfiltered(ProbePersonality), 0);
  EXPECT_EQ(Filtered(ProbePersonality), EPERM);
  EXPECT_EQ(Unfiltered(ProbeNetlink), 0);
  EXPECT_EQ(Filtered(ProbeNetlink), EAFNOSUPPORT);
  EXPECT_EQ(Unfiltered(ProbePtrace), 0);
  EXPECT_EQ(Filtered(ProbePtrace), EPERM);
  EXPECT_EQ(Unfiltered(ProbeClone3), EINVAL);
  EXPECT_EQ(Filtered(ProbeClone3), ENOSYS);
  EXPECT_EQ(Unfiltered(ProbeTiocsti), ENOTTY);
  EXPECT_EQ(Filtered(ProbeTiocsti), EPERM);
  EXPECT_EQ(Unfiltered(ProbeInit), 0);
  EXPECT_EQ(Filtered(ProbeInit), EPERM);
}

TEST(FilterLoadTest, InternetSocketsOnlyIfAskedFor) {
  EXPECT_EQ(Unfiltered(ProbeInternet), 0);
  EXPECT_EQ(Filtered(ProbeInternet, true), 0);
  EXPECT_EQ(Filtered(ProbeInternet, false), EAFNOSUPPORT);
}

TEST(FilterLoadTest, PermitsWhatProgramsNeed) {
  EXPECT_EQ(Filtered(ProbeUnix), 0);
  EXPECT_EQ(Filtered(ProbeOwnLimit), 0);
  EXPECT_EQ(Filtered(ProbeFork), 0);
  EXPECT_EQ(Filtered(ProbeMap), 0);
}

TEST(FilterLoadTest, WorkerFilter) {
  EXPECT_EQ(WorkerFiltered(ProbePtrace), ENOSYS);
  EXPECT_EQ(WorkerFiltered(ProbeNetlink), 0);
  EXPECT_EQ(WorkerFiltered(ProbePersonality), 0);
  EXPECT_EQ(WorkerFiltered(ProbeClone3), EINVAL);
}

// Runs `probe` under both filters and returns the first notification.
absl::StatusOr<seccomp_notif> NotificationOf(Probe probe) {
  const Program worker = *CompileWorkerFilter();
  const Program own = *CompileSandboxFilter({});
  absl::StatusOr<SocketPair> sockets = MakeSocketPair();
  if (!sockets.ok()) return sockets.status();
  const pid_t child = fork();
  if (child == 0) {
    const int listener = LoadBoth(worker, own);
    if (!SendPacket(sockets->second.get(), "listener", {listener}).ok()) {
      _exit(kSetupFailed + 3);
    }
    close(listener);
    probe();
    _exit(0);  // nobody was asked
  }
  sockets->second.Reset();
  absl::StatusOr<Packet> packet = ReceivePacket(sockets->first.get(), 64);
  seccomp_notif notification = {};
  bool notified = false;
  if (packet.ok() && packet->descriptors.size() == 1) {
    const int listener = packet->descriptors[0].get();
    pollfd ready = {listener, POLLIN, 0};
    constexpr int kMilliseconds = 10000;
    notified = poll(&ready, 1, kMilliseconds) == 1 &&
               (ready.revents & POLLIN) != 0 &&
               ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) == 0;
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  if (!packet.ok()) return packet.status();
  if (!notified) return absl::NotFoundError("no notification");
  return notification;
}

long ProbeInitModule() { return syscall(SYS_init_module, nullptr, 0, ""); }

TEST(FilterLoadTest, ViolationReachesTheListenerPastTheWorkersFilter) {
  const absl::StatusOr<seccomp_notif> notification =
      NotificationOf(ProbeInitModule);
  ASSERT_TRUE(notification.ok()) << notification.status();
  EXPECT_EQ(notification->data.arch, NativeArchitecture());
  EXPECT_EQ(SystemCallName(notification->data.arch, notification->data.nr),
            "init_module");
  // Control: what is refused with an errno tells nobody.
  EXPECT_EQ(NotificationOf(ProbePtrace).status().code(),
            absl::StatusCode::kNotFound);
}

#if defined(__x86_64__)
long ProbeI386GetPid() {
  constexpr long kGetPid = 20;
  long result;
  asm volatile("int $0x80"
               : "=a"(result)
               : "a"(kGetPid)
               : "memory", "r8", "r9", "r10", "r11");
  return result == getpid() ? 0 : -1;
}

TEST(FilterLoadTest, I386EntryIsAViolation) {
  // Control; a kernel without the entry kills the child with SIGSEGV.
  const pid_t child = fork();
  if (child == 0) _exit(ProbeI386GetPid() == 0 ? 0 : 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  SKIP_WITHOUT("i386_entry", !WIFSIGNALED(status));
  ASSERT_EQ(WEXITSTATUS(status), 0);

  const absl::StatusOr<seccomp_notif> notification =
      NotificationOf(ProbeI386GetPid);
  ASSERT_TRUE(notification.ok()) << notification.status();
  EXPECT_EQ(notification->data.arch, uint32_t{AUDIT_ARCH_I386});
  EXPECT_EQ(SystemCallName(notification->data.arch, notification->data.nr),
            "getpid");
}

long ProbeX32() { return syscall(0x40000000 | 39); }

TEST(FilterLoadTest, X32IsNotThere) { EXPECT_EQ(Filtered(ProbeX32), ENOSYS); }
#endif

}  // namespace
}  // namespace paddock
