// What Landlock alone keeps from a program: in a sandbox mounts, the network
// namespace and the filter answer before it does. Each denial has its control:
// the same call before the process was restricted.
#include "worker/init/landlock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/random.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>

#include "tests/support/skip.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

using ::paddock::init::LandlockAbi;
using ::paddock::init::RestrictWithLandlock;

constexpr char kText[] = "text";

int Write(const std::string& path, int flags = O_CREAT) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC | flags, 0600));
  if (!fd.valid()) return -1;
  return write(fd.get(), kText, sizeof(kText)) < 0 ? -1 : 0;
}

int Read(const std::string& path) {
  return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC)).valid() ? 0 : -1;
}

int MakeSocket(const std::string& path) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
}

int WriteIds(const char* file, id_t id) {
  const std::string map = "0 " + std::to_string(id) + " 1";
  const UniqueFd fd(open(file, O_WRONLY | O_CLOEXEC));
  return write(fd.get(), map.data(), map.size()) < 0 ? -1 : 0;
}

// Root of mounts of its own, whoever the process was.
int OwnMounts() {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return -1;
  const UniqueFd groups(open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC));
  if (write(groups.get(), "deny", 4) != 4) return -1;
  if (WriteIds("/proc/self/uid_map", uid) != 0) return -1;
  if (WriteIds("/proc/self/gid_map", gid) != 0) return -1;
  return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
}

// The directories that a sandbox has, and one device in two places, on a file
// system that lets its owner do all that is tried: a tmpfs over /tmp.
int EnterTree() {
  if (OwnMounts() != 0) return -1;
  if (mount("none", "/tmp", "tmpfs", 0, nullptr) != 0) return -1;
  for (const char* path :
       {"/tmp/dev", "/tmp/dev/shm", "/tmp/proc", "/tmp/tmp", "/tmp/tmp/one",
        "/tmp/tmp/two", "/tmp/work", "/tmp/etc", "/tmp/etc/empty"}) {
    if (mkdir(path, 0700) != 0) return -1;
  }
  for (const char* path : {"/tmp/dev/random", "/tmp/etc/random"}) {
    if (Write(path) != 0) return -1;
    if (mount("/dev/random", path, nullptr, MS_BIND, nullptr) != 0) return -1;
  }
  for (const char* path : {"/tmp/dev/file", "/tmp/proc/file", "/tmp/tmp/file",
                           "/tmp/work/file", "/tmp/etc/file"}) {
    if (Write(path) != 0) return -1;
  }
  return chroot("/tmp") == 0 ? chdir("/") : -1;
}

enum class As { kBefore, kProgram, kProgramWithLoopback };

using Call = std::function<int()>;

// errno of `call`, 0 if it succeeds, in a tree of its own.
int ErrnoOf(As as, const Call& call) {
  constexpr int kNoTree = 249;
  constexpr int kNotRestricted = 250;
  const pid_t child = fork();
  if (child == 0) {
    if (EnterTree() != 0) _exit(kNoTree);
    if (as != As::kBefore &&
        (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
         !RestrictWithLandlock(LandlockAbi(),
                               as == As::kProgramWithLoopback))) {
      _exit(kNotRestricted);
    }
    errno = 0;
    _exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_NE(WEXITSTATUS(status), kNoTree);
  EXPECT_NE(WEXITSTATUS(status), kNotRestricted);
  return WEXITSTATUS(status);
}

void ExpectDenied(int error, const Call& call, As as = As::kProgram) {
  EXPECT_EQ(ErrnoOf(As::kBefore, call), 0) << "the control";
  EXPECT_EQ(ErrnoOf(as, call), error);
}
void ExpectAllowed(const Call& call, As as = As::kProgram) {
  EXPECT_EQ(ErrnoOf(As::kBefore, call), 0) << "the control";
  EXPECT_EQ(ErrnoOf(as, call), 0);
}
// What Landlock knows since `abi`: before nothing is denied.
void ExpectDeniedSince(int abi, int error, const Call& call,
                       As as = As::kProgram) {
  if (LandlockAbi() < abi) return ExpectAllowed(call, as);
  ExpectDenied(error, call, as);
}

bool HasUserNamespaces() {
  const pid_t child = fork();
  if (child == 0) _exit(OwnMounts() == 0 ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

class LandlockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT("landlock", LandlockAbi() >= 1);
    SKIP_WITHOUT("user_namespaces", HasUserNamespaces());
  }
};

TEST_F(LandlockTest, FilesElsewhereAreReadAndNothingElse) {
  ExpectAllowed([] { return Read("/etc/file"); });
  ExpectAllowed([] { return Read("/etc"); });
  ExpectDenied(EACCES, [] { return Write("/etc/file", 0); });
  ExpectDenied(EACCES, [] { return Write("/etc/file", O_TRUNC); });
  ExpectDenied(EACCES, [] { return Write("/etc/new"); });
  ExpectDenied(EACCES, [] { return Write("/new"); });
  ExpectDenied(EACCES, [] { return mkdir("/etc/new", 0700); });
  ExpectDenied(EACCES, [] { return symlink("file", "/etc/new"); });
  ExpectDenied(EACCES, [] { return mkfifo("/etc/new", 0600); });
  ExpectDenied(EACCES, [] { return MakeSocket("/etc/new"); });
  ExpectDenied(EACCES, [] { return unlink("/etc/file"); });
  ExpectDenied(EACCES, [] { return rmdir("/etc/empty"); });
  ExpectDenied(EACCES, [] { return rename("/etc/file", "/etc/new"); });
}

TEST_F(LandlockTest, FilesOfTheWritableDirectories) {
  for (const std::string directory : {"/tmp", "/work", "/dev/shm"}) {
    const std::string path = directory + "/new";
    ExpectAllowed([=] { return Write(path); });
    ExpectAllowed([=] { return mkdir(path.c_str(), 0700); });
    ExpectAllowed([=] { return symlink("file", path.c_str()); });
    ExpectAllowed([=] { return mkfifo(path.c_str(), 0600); });
    ExpectAllowed([=] { return MakeSocket(path); });
    ExpectAllowed([=] {
      if (Write(path) != 0 || truncate(path.c_str(), 1) != 0) return -1;
      return unlink(path.c_str());
    });
  }
}

// The files hold no program, which the kernel says of those alone that may be
// executed.
TEST_F(LandlockTest, FilesAreExecutedWhereverTheyAre) {
  for (const char* path : {"/etc/file", "/tmp/file", "/work/file"}) {
    const auto execute = [=] {
      char name[] = "file";
      char* const arguments[] = {name, nullptr};
      if (chmod(path, 0700) != 0) return -1;
      return execve(path, arguments, arguments + 1);
    };
    EXPECT_EQ(ErrnoOf(As::kBefore, execute), ENOEXEC);
    EXPECT_EQ(ErrnoOf(As::kProgram, execute), ENOEXEC) << path;
  }
}

// With the number 0, a whiteout, a device needs no capability: mknod(2).
TEST_F(LandlockTest, NoDeviceIsMadeAnywhere) {
  for (const char* path :
       {"/tmp/new", "/work/new", "/dev/shm/new", "/dev/new", "/etc/new"}) {
    ExpectDenied(EACCES,
                 [=] { return mknod(path, S_IFCHR | 0600, makedev(0, 0)); });
  }
}

TEST_F(LandlockTest, WhatIsInDevAndProcIsWrittenAndNothingIsMadeThere) {
  for (const std::string directory : {"/dev", "/proc"}) {
    const std::string file = directory + "/file";
    ExpectAllowed([=] { return Read(file); });
    ExpectAllowed([=] { return Write(file, O_TRUNC); });
    ExpectDenied(EACCES, [=] { return unlink(file.c_str()); });
    ExpectDenied(EACCES, [=] { return Write(directory + "/new"); });
    ExpectDenied(EACCES,
                 [=] { return mkdir((directory + "/new").c_str(), 0700); });
  }
}

TEST_F(LandlockTest, FilesAreMovedWithinTheWritableDirectories) {
  ExpectAllowed([] { return rename("/tmp/file", "/tmp/new"); });
  const auto to_another_directory = [] {
    if (Write("/tmp/one/file") != 0) return -1;
    return rename("/tmp/one/file", "/tmp/two/file");
  };
  // Without a right to hand out for it the kernel lets nobody.
  if (LandlockAbi() < 2) return ExpectDenied(EXDEV, to_another_directory);
  ExpectAllowed(to_another_directory);
  ExpectAllowed([] { return rename("/tmp/file", "/work/new"); });
  ExpectAllowed([] { return link("/tmp/file", "/work/new"); });
  ExpectDenied(EACCES, [] { return rename("/tmp/file", "/etc/new"); });
  ExpectDenied(EACCES, [] { return rename("/etc/file", "/tmp/new"); });
  ExpectDenied(EACCES, [] { return link("/tmp/file", "/etc/new"); });
  // Would make a file of / one that may be written.
  ExpectDenied(EXDEV, [] { return link("/etc/file", "/tmp/new"); });
}

TEST_F(LandlockTest, Truncate) {
  ExpectDeniedSince(3, EACCES, [] { return truncate("/etc/file", 0); });
  ExpectAllowed([] { return truncate("/tmp/file", 0); });
  ExpectAllowed([] { return truncate("/dev/file", 0); });
}

TEST_F(LandlockTest, ControlOfDevices) {
  const auto control = [](const char* path) {
    const UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
    int bits = 0;
    return ioctl(fd.get(), RNDGETENTCNT, &bits);
  };
  ExpectDeniedSince(5, EACCES, [=] { return control("/etc/random"); });
  ExpectAllowed([=] { return control("/dev/random"); });
}

// Listens on 127.0.0.1, at a port that the kernel chooses.
class TcpListener {
 public:
  TcpListener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    sockaddr* const address = reinterpret_cast<sockaddr*>(&address_);
    ok_ = bind(fd_.get(), address, size) == 0 && listen(fd_.get(), 9) == 0 &&
          getsockname(fd_.get(), address, &size) == 0;
  }
  bool ok() const { return ok_; }
  int Connect() const {
    const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_),
                   sizeof(address_));
  }

 private:
  UniqueFd fd_;
  sockaddr_in address_ = {};
  bool ok_ = false;
};

TEST_F(LandlockTest, Tcp) {
  const auto bind_one = [] {
    TcpListener listener;
    return listener.ok() ? 0 : -1;
  };
  ExpectDeniedSince(4, EACCES, bind_one);
  ExpectAllowed(bind_one, As::kProgramWithLoopback);
  const TcpListener listener;
  ASSERT_TRUE(listener.ok());
  ExpectDeniedSince(4, EACCES, [&] { return listener.Connect(); });
  ExpectAllowed([&] { return listener.Connect(); }, As::kProgramWithLoopback);
}

// Listens at an abstract address that the kernel chooses: unix(7), autobind.
class AbstractListener {
 public:
  AbstractListener() : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sun_family = AF_UNIX;
    sockaddr* const address = reinterpret_cast<sockaddr*>(&address_);
    size_ = sizeof(address_);
    ok_ = bind(fd_.get(), address, sizeof(sa_family_t)) == 0 &&
          listen(fd_.get(), 9) == 0 &&
          getsockname(fd_.get(), address, &size_) == 0;
  }
  bool ok() const { return ok_; }
  int Connect() const {
    const UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address_),
                   size_);
  }

 private:
  UniqueFd fd_;
  sockaddr_un address_ = {};
  socklen_t size_ = 0;
  bool ok_ = false;
};

TEST_F(LandlockTest, AbstractSocketsOfOthers) {
  const AbstractListener of_the_parent;
  ASSERT_TRUE(of_the_parent.ok());
  for (const As as : {As::kProgram, As::kProgramWithLoopback}) {
    ExpectDeniedSince(
        6, EPERM, [&] { return of_the_parent.Connect(); }, as);
    ExpectAllowed(
        [] {
          const AbstractListener of_its_own;
          return of_its_own.ok() ? of_its_own.Connect() : -1;
        },
        as);
  }
}

TEST_F(LandlockTest, SignalsToOthers) {
  ExpectDeniedSince(6, EPERM, [] { return kill(getppid(), 0); });
  ExpectAllowed([] {
    const pid_t child = fork();
    if (child == 0) _exit(pause());
    const int result = kill(child, SIGKILL);
    return waitpid(child, nullptr, 0) == child ? result : -1;
  });
}

}  // namespace
}  // namespace paddock
