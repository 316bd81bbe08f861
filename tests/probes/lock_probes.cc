// Locks of fcntl(2) on parts of files.
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <thread>

#include "tests/probes/burn.h"
#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

constexpr int64_t kEachFile = 1000;  // the kernel looks at each for one more

// A file without a name, in the directory at `path`.
int OpenUnnamed(const char* path) {
  return open(path, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
}

// Up to `count` locks of one byte each of a new file, with one between them
// that is not, so that the kernel merges none. Adds them to `shared`.
void LockBytes(const char* directory, int command, int64_t count,
               Shared* shared) {
  const int fd = OpenUnnamed(directory);
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_len = 1;
  for (int64_t i = 0; i < count; ++i) {
    lock.l_start = 2 * i;
    if (fd < 0 || fcntl(fd, command, &lock) != 0) {
      shared->error = errno;
      return;
    }
    ++shared->count;
  }
}

// The same by a process of its own; `stays` or ends at once.
void LockInChild(const char* directory, int64_t count, bool stays,
                 Shared* shared) {
  // Who ends leaves its locks only to whom it shares descriptors with: as
  // fork(2), but for these.
  const long flags = SIGCHLD | (stays ? 0 : CLONE_FILES);
  const long child = syscall(SYS_clone, flags, 0, 0, 0, 0);
  if (child < 0) {
    shared->error = errno;
  } else if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    LockBytes(directory, F_SETLK, count, shared);
    shared->nanos = 1;
    while (stays) pause();
    _exit(0);
  } else if (stays) {
    while (shared->nanos == 0) SleepFor(0.001);
    shared->nanos = 0;
  } else {
    waitpid(static_cast<pid_t>(child), nullptr, 0);
  }
}

// COUNT locks in files of DIRECTORY. HOW: posix, open-file, children (that
// stay), orphans (locks of processes that are gone), or leaderless: by a thread
// that outlives the first one of its process.
int HogRecordLocks(char** arguments) {
  const char* directory = arguments[0];
  const int64_t count = ParseNumber(arguments[1]);
  const std::string_view how = arguments[2];
  Shared* shared = MakeShared();
  const auto hog = [=] {
    while (shared->count < count && shared->error == 0) {
      const int64_t some = std::min(kEachFile, count - shared->count);
      if (how == "children" || how == "orphans") {
        LockInChild(directory, some, how == "children", shared);
      } else {
        LockBytes(directory, how == "open-file" ? F_OFD_SETLK : F_SETLK, some,
                  shared);
      }
    }
    return Report(shared->count, shared->error);
  };
  if (how != "leaderless") return hog();
  std::thread([hog] {
    SleepFor(0.05);  // the leader has ended
    exit(hog());
  }).detach();
  syscall(SYS_exit, 0);
  return 2;
}

// COUNT calls that take one lock and give it back, in a file of DIRECTORY.
int RelockRecord(char** arguments) {
  const int64_t count = ParseNumber(arguments[1]);
  const int fd = OpenUnnamed(arguments[0]);
  if (fd < 0) return Report(0, errno);
  for (int64_t i = 0; i < count; ++i) {
    struct flock lock = {};
    lock.l_type = i % 2 == 0 ? F_WRLCK : F_UNLCK;
    if (fcntl(fd, F_SETLK, &lock) != 0) return Report(i, errno);
  }
  return Report(count, 0);
}

}  // namespace

const Probe kLockProbes[] = {
    {"hog-record-locks", 3, "DIRECTORY COUNT HOW", HogRecordLocks},
    {"relock-record", 2, "DIRECTORY COUNT", RelockRecord},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
