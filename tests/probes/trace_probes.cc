// What profiles open: watching files and looking into other processes.
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

// Watches the directory, makes a file there, and reads one event.
int WatchDirectory(char** arguments) {
  const int watcher = inotify_init1(IN_CLOEXEC);
  if (watcher < 0) return Report(0, errno);
  if (inotify_add_watch(watcher, arguments[0], IN_CREATE) < 0) {
    return Report(1, errno);
  }
  const int directory = open(arguments[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
  close(openat(directory, "seen", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  char event[4096];
  if (read(watcher, event, sizeof(event)) <= 0) return Report(2, errno);
  return Report(3, 0);
}

int MakeWatchers(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  for (int64_t i = 0; i < count; ++i) {
    if (inotify_init1(IN_CLOEXEC) < 0) return Report(i, errno);
  }
  return Report(count, 0);
}

// Each watcher of the same files, so that few instances have many watches.
int MakeWatches(char** arguments) {
  constexpr int64_t kFiles = 10'000;
  const int64_t count = ParseNumber(arguments[0]);
  int watcher = -1;
  for (int64_t i = 0; i < count; ++i) {
    if (i % kFiles == 0) watcher = inotify_init1(IN_CLOEXEC);
    if (watcher < 0) return Report(i, errno);
    const std::string file = std::to_string(i % kFiles);
    if (i < kFiles) {
      close(open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    if (inotify_add_watch(watcher, file.c_str(), IN_CLOSE) < 0) {
      return Report(i, errno);
    }
  }
  return Report(count, 0);
}

pid_t StartSleeper() {
  const pid_t child = fork();
  if (child == 0) {
    for (;;) pause();
  }
  return child;
}

int End(pid_t child, int64_t done, int error) {
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return Report(done, error);
}

// Attaches to a child and reads its registers' worth of a word of memory.
int TraceChild(char** /*arguments*/) {
  static volatile long word = 42;
  const pid_t child = StartSleeper();
  if (ptrace(PTRACE_ATTACH, child, nullptr, nullptr) != 0) {
    return End(child, 0, errno);
  }
  waitpid(child, nullptr, 0);
  errno = 0;
  const long seen =
      ptrace(PTRACE_PEEKDATA, child, const_cast<long*>(&word), nullptr);
  return End(child, seen, errno);
}

int TracePid(char** arguments) {
  const auto pid = static_cast<pid_t>(ParseNumber(arguments[0]));
  const long result = ptrace(PTRACE_SEIZE, pid, nullptr, nullptr);
  return Report(0, result == 0 ? 0 : errno);
}

int ReadChildMemory(char** /*arguments*/) {
  static int word = 42;
  int copy = 0;
  const pid_t child = StartSleeper();
  const iovec here = {&copy, sizeof(copy)};
  const iovec there = {&word, sizeof(word)};
  const bool read =
      process_vm_readv(child, &here, 1, &there, 1, 0) == sizeof(copy);
  return End(child, copy, read ? 0 : errno);
}

}  // namespace

const Probe kTraceProbes[] = {
    {"watch", 1, "DIRECTORY", WatchDirectory},
    {"inotify-instances", 1, "COUNT", MakeWatchers},
    {"inotify-watches", 1, "COUNT", MakeWatches},
    {"trace-child", 0, "", TraceChild},
    {"trace", 1, "PID", TracePid},
    {"read-child", 0, "", ReadChildMemory},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
