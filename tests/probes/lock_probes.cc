// Locks of fcntl(2) on parts of files, and of flock(2) on whole ones.
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
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

// Another open file of what `fd` is, for flock(2).
int OpenAgain(int fd) {
  char path[32];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  return open(path, O_RDONLY | O_CLOEXEC);
}

// One lock of each of `count` open files from `first` on. Adds them to
// `shared`.
void LockWhole(int first, int64_t count, Shared* shared) {
  for (int64_t i = 0; i < count; ++i) {
    if (flock(first + static_cast<int>(i), LOCK_SH) != 0) {
      shared->error = errno;
      return;
    }
    ++shared->count;
  }
}

// Of open files in a row; the descriptor of the first, or -1.
int OpenInARow(const char* directory, int64_t count) {
  const int file = OpenUnnamed(directory);
  int first = -1;
  for (int64_t i = 0; i < count; ++i) {
    const int fd = OpenAgain(file);
    if (fd < 0) return -1;
    if (first < 0) first = fd;
  }
  return first;
}

// `lock`s in a process of its own that `stays` or ends at once.
template <typename Lock>
void LockInChild(bool stays, long flags, Shared* shared, Lock lock) {
  const long child = syscall(SYS_clone, SIGCHLD | flags, 0, 0, 0, 0);
  if (child < 0) {
    shared->error = errno;
  } else if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    lock();
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
// that outlives the first one of its process. Of flock(2): whole, by children
// that stay; or whole-orphans, on open files of their parent's.
int HogRecordLocks(char** arguments) {
  const char* directory = arguments[0];
  const int64_t count = ParseNumber(arguments[1]);
  const std::string_view how = arguments[2];
  Shared* shared = MakeShared();
  const auto hog = [=] {
    while (shared->count < count && shared->error == 0) {
      const int64_t some = std::min(kEachFile, count - shared->count);
      if (how == "children" || how == "orphans") {
        // Who ends leaves such locks only to whom it shares descriptors with.
        const bool stays = how == "children";
        LockInChild(stays, stays ? 0 : CLONE_FILES, shared,
                    [=] { LockBytes(directory, F_SETLK, some, shared); });
      } else if (how == "whole") {
        LockInChild(true, 0, shared, [=] {
          LockWhole(OpenInARow(directory, some), some, shared);
        });
      } else if (how == "whole-orphans") {
        const int first = OpenInARow(directory, some);
        LockInChild(false, 0, shared, [=] { LockWhole(first, some, shared); });
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

// COUNT calls that take one lock and give it back, in a file of DIRECTORY. HOW:
// posix or whole.
int RelockRecord(char** arguments) {
  const int64_t count = ParseNumber(arguments[1]);
  const bool whole = std::string_view(arguments[2]) == "whole";
  const int fd = OpenUnnamed(arguments[0]);
  if (fd < 0) return Report(0, errno);
  for (int64_t i = 0; i < count; ++i) {
    const bool locks = i % 2 == 0;
    struct flock lock = {};
    lock.l_type = locks ? F_WRLCK : F_UNLCK;
    if ((whole ? flock(fd, locks ? LOCK_EX : LOCK_UN)
               : fcntl(fd, F_SETLK, &lock)) != 0) {
      return Report(i, errno);
    }
  }
  return Report(count, 0);
}

// Whether `pid` runs or could: proc(5).
bool IsRunning(pid_t pid) {
  char path[32];
  snprintf(path, sizeof(path), "/proc/%d/stat", static_cast<int>(pid));
  char text[64] = {};
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  const bool read_some = read(fd, text, sizeof(text) - 1) > 0;
  close(fd);
  return read_some &&
         std::string_view(text).find(") R ") != std::string_view::npos;
}

// COUNT locks in a file of DIRECTORY; then has a child break a rule, and ends
// as soon as that waits for the answer.
int ViolateBehindLocks(char** arguments) {
  Shared* shared = MakeShared();
  LockBytes(arguments[0], F_SETLK, ParseNumber(arguments[1]), shared);
  if (shared->error != 0) return Report(shared->count, shared->error);
  const pid_t child = fork();
  if (child == 0) {
    shared->count = 0;
    syscall(SYS_swapoff, nullptr);
    _exit(0);
  }
  while (shared->count != 0 || IsRunning(child)) SleepFor(0.0002);
  _exit(0);
}

}  // namespace

const Probe kLockProbes[] = {
    {"hog-record-locks", 3, "DIRECTORY COUNT HOW", HogRecordLocks},
    {"relock-record", 3, "DIRECTORY COUNT HOW", RelockRecord},
    {"violate-behind-locks", 2, "DIRECTORY COUNT", ViolateBehindLocks},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
