// What a captured server can still do. Each denial has its control: the same
// call before the process was confined.
#include "server/confine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "tests/support/skip.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

// Makes a process root of mounts of its own, whoever it is.
int OwnMounts() {
  if (geteuid() != 0 && unshare(CLONE_NEWUSER) != 0) return -1;
  if (unshare(CLONE_NEWNS) != 0) return -1;
  return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
}

// errno of `call`, 0 if it succeeds, as a child process sees it that is
// confined before or not; `prepare` comes before that.
int ErrnoInChild(
    const config::v1::Config& config, bool confined,
    const std::function<int()>& call,
    const std::function<int()>& prepare = [] { return 0; }) {
  constexpr int kNotPrepared = 249;
  constexpr int kNotConfined = 250;
  const pid_t child = fork();
  if (child == 0) {
    if (prepare() < 0) _exit(kNotPrepared);
    if (confined && !ConfineServer(config).ok()) _exit(kNotConfined);
    errno = 0;
    _exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_NE(WEXITSTATUS(status), kNotPrepared);
  EXPECT_NE(WEXITSTATUS(status), kNotConfined);
  return WEXITSTATUS(status);
}

bool HasLandlock(int abi) {
  return syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) >= abi;
}

class ConfineTest : public testing::Test {
 protected:
  ConfineTest() {
    char name[] = "/tmp/paddock-confine-XXXXXX";
    directory_ = mkdtemp(name);
    socket_ = directory_ + "/run/p.sock";
    std::filesystem::create_directory(directory_ + "/run");
    config_.mutable_listen()->set_unix_socket(socket_);
    config_.mutable_listen()->set_grpc_address("127.0.0.1:50051");
  }
  ~ConfineTest() override { std::filesystem::remove_all(directory_); }

  void ExpectDenied(
      int error, const std::function<int()>& call,
      const std::function<int()>& prepare = [] { return 0; }) {
    EXPECT_EQ(ErrnoInChild(config_, false, call, prepare), 0) << "the control";
    EXPECT_EQ(ErrnoInChild(config_, true, call, prepare), error);
  }
  void ExpectAllowed(const std::function<int()>& call) {
    EXPECT_EQ(ErrnoInChild(config_, true, call), 0);
  }

  std::string directory_;
  std::string socket_;
  config::v1::Config config_;
};

// The process ends soon.
int OwnSocket() { return socket(AF_INET, SOCK_STREAM, 0); }

int OpenForReading(const char* path) { return open(path, O_RDONLY); }

int BindTcp(uint16_t port) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
}

int BindUnix(const std::string& path) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  return bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
}

TEST_F(ConfineTest, NoProgramIsStarted) {
  ExpectDenied(EPERM, [] {
    char name[] = "/bin/true";
    char* argv[] = {name, nullptr};
    return execve(name, argv, nullptr);
  });
}

TEST_F(ConfineTest, ThreadsButNoProcesses) {
  ExpectDenied(EPERM, [] {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    return pid;
  });
  ExpectAllowed([] {
    std::thread([] {}).join();
    return 0;
  });
}

TEST_F(ConfineTest, NoTracing) {
  ExpectDenied(EPERM, [] {
    return static_cast<int>(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr));
  });
}

// Its parent is of the same user here, as workers are without root.
TEST_F(ConfineTest, NoSignalsToOthers) {
  ExpectDenied(EPERM, [] { return kill(getppid(), 0); });
  ExpectDenied(EPERM, [] { return kill(0, 0); });
  ExpectDenied(EPERM, [] {
    return static_cast<int>(syscall(SYS_tgkill, getppid(), getppid(), 0));
  });
  ExpectDenied(
      EPERM, [] { return static_cast<int>(syscall(SYS_tkill, getppid(), 0)); });
  ExpectDenied(EPERM, [] {
    siginfo_t info = {};
    info.si_code = SI_QUEUE;
    return static_cast<int>(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info));
  });
  ExpectAllowed([] { return kill(getpid(), 0); });
  ExpectAllowed([] {
    signal(SIGUSR1, SIG_IGN);
    return raise(SIGUSR1) == 0 ? 0 : -1;
  });
}

// Which the kernel sends for it: to whom a descriptor says, what that says.
TEST_F(ConfineTest, NoSignalsByDescriptors) {
  ExpectDenied(EPERM, [] { return fcntl(OwnSocket(), F_SETOWN, getppid()); });
  ExpectDenied(EPERM, [] {
    const f_owner_ex owner = {F_OWNER_PID, getppid()};
    return fcntl(OwnSocket(), F_SETOWN_EX, &owner);
  });
  ExpectDenied(EPERM, [] { return fcntl(OwnSocket(), F_SETSIG, SIGUSR1); });
  for (const unsigned command : {FIOSETOWN, SIOCSPGRP}) {
    ExpectDenied(EPERM, [command] {
      const pid_t owner = getppid();
      return ioctl(OwnSocket(), command, &owner);
    });
  }
  ExpectAllowed([] { return fcntl(OwnSocket(), F_SETFL, O_NONBLOCK); });
  ExpectAllowed([] {
    int readable = 0;
    return ioctl(OwnSocket(), FIONREAD, &readable);
  });
}

TEST_F(ConfineTest, NoLimitsAndTurnsOfOthers) {
  ExpectDenied(EPERM, [] {
    rlimit limit;
    return prlimit(getppid(), RLIMIT_NOFILE, nullptr, &limit);
  });
  ExpectDenied(EPERM, [] {
    const sched_param parameters = {};
    return sched_setscheduler(getppid(), SCHED_OTHER, &parameters);
  });
  ExpectDenied(EPERM, [] {
    cpu_set_t cpus;
    sched_getaffinity(0, sizeof(cpus), &cpus);
    return sched_setaffinity(getppid(), sizeof(cpus), &cpus);
  });
  ExpectDenied(EPERM, [] {
    return setpriority(PRIO_PROCESS, getppid(),
                       getpriority(PRIO_PROCESS, getppid()));
  });
  ExpectAllowed([] {
    rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit);
  });
}

TEST_F(ConfineTest, NoNewNamespaces) {
  SKIP_WITHOUT("user_namespaces", ErrnoInChild(config_, false, OwnMounts) == 0);
  ExpectDenied(
      EPERM, [] { return unshare(CLONE_NEWNS); }, OwnMounts);
  ExpectDenied(
      EPERM, [] { return mount("none", "/tmp", "tmpfs", 0, nullptr); },
      OwnMounts);
}

TEST_F(ConfineTest, FewSocketFamilies) {
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
    ExpectAllowed([=] {
      return socket(family, family == AF_NETLINK ? SOCK_RAW : SOCK_STREAM, 0);
    });
  }
  // Which of the others a kernel has differs, and the control needs one.
  bool denied_one = false;
  for (const int family : {AF_VSOCK, AF_ALG, AF_PACKET, AF_KEY}) {
    for (const int type : {SOCK_STREAM, SOCK_SEQPACKET, SOCK_RAW}) {
      const auto call = [=] { return socket(family, type, 0); };
      if (ErrnoInChild(config_, false, call) != 0) continue;
      ExpectDenied(EAFNOSUPPORT, call);
      denied_one = true;
    }
  }
  SKIP_WITHOUT("other_socket_families", denied_one);
}

TEST_F(ConfineTest, NoCoreAndNotDumpable) {
  ExpectAllowed([] {
    rlimit core;
    getrlimit(RLIMIT_CORE, &core);
    errno = ENOTRECOVERABLE;
    return core.rlim_max == 0 && prctl(PR_GET_DUMPABLE) == 0 &&
                   prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
               ? 0
               : -1;
  });
}

TEST_F(ConfineTest, FilesThatAreNoneOfItsBusiness) {
  SKIP_WITHOUT("landlock", HasLandlock(1));
  ExpectDenied(EACCES, [] { return OpenForReading("/etc/passwd"); });
  const std::string parent = directory_;
  ExpectDenied(EACCES, [=] { return open(parent.c_str(), O_RDONLY); });
  ExpectDenied(EACCES, [=] {
    return open((parent + "/new").c_str(), O_WRONLY | O_CREAT, 0600);
  });
  ExpectAllowed([] { return OpenForReading("/proc/self/stat"); });
  ExpectAllowed([] { return OpenForReading("/etc/hosts"); });
}

TEST_F(ConfineTest, TheSocketsDirectoryIsItsOwn) {
  ExpectAllowed([&] {
    if (BindUnix(socket_) != 0) return -1;
    if (chmod(socket_.c_str(), 0660) != 0) return -1;
    const std::string lock = socket_ + ".lock";
    if (open(lock.c_str(), O_RDWR | O_CREAT, 0600) < 0) return -1;
    return unlink(socket_.c_str());
  });
  SKIP_WITHOUT("landlock", HasLandlock(1));
  ExpectDenied(EACCES, [&] {
    const std::string other = directory_ + "/other.sock";
    const int result = BindUnix(other);
    if (result == 0) unlink(other.c_str());
    return result;
  });
}

TEST_F(ConfineTest, PortsOfItsOwnAndNoConnections) {
  SKIP_WITHOUT("landlock_ports", HasLandlock(4));
  ExpectDenied(EACCES, [] { return BindTcp(50055); });
  ExpectAllowed([] { return BindTcp(50051); });
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size),
            0);
  ASSERT_EQ(listen(listener.get(), 5), 0);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  ExpectDenied(EACCES, [&] {
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM, 0));
    return connect(fd.get(), reinterpret_cast<sockaddr*>(&address), size);
  });
}

TEST_F(ConfineTest, APortThatIsNotKnownYetCanBeBound) {
  config_.mutable_listen()->set_grpc_address("127.0.0.1:0");
  ExpectAllowed([] { return BindTcp(0); });
}

TEST_F(ConfineTest, TheLayersAreTold) {
  const pid_t child = fork();
  if (child == 0) {
    const auto layers = ConfineServer(config_);
    _exit(layers.ok() && layers->size() == 2 &&
                  layers->at(1).state() == v1::ENFORCEMENT_STATE_ENFORCED
              ? 0
              : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace paddock
