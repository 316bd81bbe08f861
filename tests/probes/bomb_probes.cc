// Programs that take more of something than is good. They run in sandboxes
// only: what bounds them is the sandbox.
#include <fcntl.h>
#include <mqueue.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "tests/probes/burn.h"
#include "tests/probes/probe.h"
#include "tests/probes/send_descriptors.h"

namespace paddock_probe {
namespace {

[[noreturn]] void PauseForEver() {
  for (;;) pause();
}

void IgnoreEverySignal() {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_IGN);
}

// Every process forks, for ever.
int ForkBomb(char** /*arguments*/) {
  for (;;) fork();
}

// Each head forks its successor and ends, so that whoever kills one by one
// comes too late.
void GrowHeads(int64_t heads) {
  for (int64_t i = 0; i < heads; ++i) {
    if (fork() == 0) {
      IgnoreEverySignal();
      for (;;) {
        if (fork() > 0) _exit(0);
      }
    }
  }
  signal(SIGCHLD, SIG_IGN);
}

int Hydra(char** arguments) {
  GrowHeads(ParseNumber(arguments[0]));
  PauseForEver();
}

// The same, left behind by a program that ends when all heads are there.
int HydraLeftBehind(char** arguments) {
  int grown[2];
  if (pipe(grown) != 0) return Report(0, errno);
  if (fork() == 0) {
    GrowHeads(ParseNumber(arguments[0]));
    if (write(grown[1], "!", 1) != 1) _exit(1);
    PauseForEver();
  }
  char byte;
  return Report(read(grown[0], &byte, 1), 0);
}

int DeepTree(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  for (int64_t i = 0; i < count; ++i) {
    if (mkdir("d", 0755) != 0 || chdir("d") != 0) return Report(i, errno);
  }
  return Report(count, 0);
}

// A page at the start of each GiB.
int SparseFile(char** arguments) {
  const int64_t pages = ParseNumber(arguments[1]);
  const int fd = open(arguments[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return Report(0, errno);
  for (int64_t i = 0; i < pages; ++i) {
    if (pwrite(fd, "x", 1, i << 30) != 1) return Report(i, errno);
  }
  return Report(pages, 0);
}

// Both streams at once, for ever.
int FloodBoth(char** /*arguments*/) {
  static const char block[64 << 10] = {};
  const int fd = fork() == 0 ? 1 : 2;
  while (write(fd, block, sizeof(block)) > 0) {
  }
  return 1;
}

int OpenNull() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

// The end of a full pipe that keeps it alive.
int OpenFullPipe() {
  static const char block[64 << 10] = {};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return -1;
  while (write(ends[1], block, sizeof(block)) > 0) {
  }
  close(ends[1]);
  return ends[0];
}

// COUNT descriptors that are in nobody's table: each an open file of its own,
// within messages that nobody receives.
int KeepInFlight(int64_t count, int (*make)()) {
  int ends[2] = {-1, -1};
  for (int64_t i = 0; i < count; ++i) {
    const int file = make();
    if (file < 0) return Report(i, errno);
    int error = ends[0] < 0 ? EAGAIN : SendDescriptors(ends[0], file, 1);
    if (error == EAGAIN) {  // full
      if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return Report(i, errno);
      }
      error = SendDescriptors(ends[0], file, 1);
    }
    if (error != 0) return Report(i, error);
    close(file);
  }
  return Report(count, 0);
}

int DescriptorsInFlight(char** arguments) {
  return KeepInFlight(ParseNumber(arguments[0]), OpenNull);
}

int PipesInFlight(char** arguments) {
  return KeepInFlight(ParseNumber(arguments[0]), OpenFullPipe);
}

// COUNT sockets, each in a message that waits at the next, with BYTES of data
// before it. The last waits at itself, so that only the kernel can find out
// that nobody has any of them, and it takes them apart one by one.
int ChainSockets(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  const std::string data(ParseNumber(arguments[1]), 'x');
  int inner = -1;
  for (int64_t i = 0; i < count; ++i) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0) {
      return Report(i, errno);
    }
    if (!data.empty() && write(ends[0], data.data(), data.size()) < 0) {
      return Report(i, errno);
    }
    const bool last = i + 1 == count;
    for (const int file : {inner, last ? ends[1] : -1}) {
      const int error = file < 0 ? 0 : SendDescriptors(ends[0], file, 1);
      if (error != 0) return Report(i, error);
    }
    close(inner);
    close(ends[0]);
    inner = ends[1];
  }
  return Report(count, 0);
}

int MakeTimers(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  sigevent event = {};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN;
  for (int64_t i = 0; i < count; ++i) {
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) {
      return Report(i, errno);
    }
  }
  return Report(count, 0);
}

int QueueSignals(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
  for (int64_t i = 0; i < count; ++i) {
    if (sigqueue(getpid(), SIGRTMIN, {}) != 0) return Report(i, errno);
  }
  return Report(count, 0);
}

int MakePosixQueues(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  mq_attr attributes = {};
  attributes.mq_maxmsg = 10;
  attributes.mq_msgsize = 8192;
  for (int64_t i = 0; i < count; ++i) {
    const std::string name = "/probe-" + std::to_string(i);
    if (mq_open(name.c_str(), O_CREAT | O_RDWR, 0600, &attributes) < 0) {
      return Report(i, errno);
    }
  }
  return Report(count, 0);
}

// COUNT children, deaf and stopped, and then the probe itself.
int StopTree(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  for (int64_t i = 0; i < count; ++i) {
    if (fork() == 0) {
      setsid();
      IgnoreEverySignal();
      kill(getpid(), SIGSTOP);
      PauseForEver();
    }
  }
  kill(getpid(), SIGSTOP);
  return Report(count, 0);
}

// The parent waits in the kernel, where no signal but SIGKILL reaches it.
int HangInVfork(char** /*arguments*/) {
  if (vfork() == 0) PauseForEver();
  return Report(1, 0);
}

int MakeZombies(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  for (int64_t i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) return Report(i, errno);
    if (child == 0) _exit(0);
  }
  return Report(count, 0);
}

// COUNT orphans in sessions of their own, deaf, with stdout open.
int LeaveDaemons(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  for (int64_t i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) return Report(i, errno);
    if (child == 0) {
      setsid();
      if (fork() != 0) _exit(0);
      IgnoreEverySignal();
      PauseForEver();
    }
    waitpid(child, nullptr, 0);
  }
  return Report(count, 0);
}

// Children that dump core; COUNT 0: for ever. "done" is how many the kernel
// says it wrote a core of.
int CrashLoop(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  int64_t cores = 0;
  for (int64_t i = 0; count == 0 || i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) return Report(cores, errno);
    if (child == 0) {
      signal(SIGSEGV, SIG_DFL);
      raise(SIGSEGV);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WCOREDUMP(status)) ++cores;
  }
  return Report(cores, 0);
}

}  // namespace

const Probe kBombProbes[] = {
    {"fork-bomb", 0, "", ForkBomb},
    {"hydra", 1, "HEADS", Hydra},
    {"hydra-left", 1, "HEADS, and ends itself", HydraLeftBehind},
    {"deep-tree", 1, "COUNT", DeepTree},
    {"sparse-file", 2, "PATH PAGES", SparseFile},
    {"flood-both", 0, "", FloodBoth},
    {"fds-in-flight", 1, "COUNT", DescriptorsInFlight},
    {"pipes-in-flight", 1, "COUNT full ones", PipesInFlight},
    {"chain-sockets", 2, "COUNT BYTES in each", ChainSockets},
    {"timers", 1, "COUNT", MakeTimers},
    {"queue-signals", 1, "COUNT", QueueSignals},
    {"posix-queues", 1, "COUNT", MakePosixQueues},
    {"stop-tree", 1, "COUNT", StopTree},
    {"vfork-hang", 0, "", HangInVfork},
    {"zombies", 1, "COUNT", MakeZombies},
    {"daemons", 1, "COUNT", LeaveDaemons},
    {"crash-loop", 1, "COUNT", CrashLoop},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
