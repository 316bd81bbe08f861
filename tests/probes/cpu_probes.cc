// Burn CPU time and tell how much it was: "done" is in nanoseconds, by clocks
// that the service does not read.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "tests/probes/burn.h"
#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

// Without what went before main: the sandbox's own part of this process.
int64_t OwnNanosSince(int64_t start) {
  return Nanos(CLOCK_PROCESS_CPUTIME_ID) - start;
}

int64_t ReapedNanos() {
  rusage usage = {};
  getrusage(RUSAGE_CHILDREN, &usage);
  return (int64_t{usage.ru_utime.tv_sec} + usage.ru_stime.tv_sec) *
             1'000'000'000 +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

// The last thing a child does: what comes after is its end in the kernel.
[[noreturn]] void BurnAndTell(double seconds, Shared* shared) {
  SpinUntil(CLOCK_PROCESS_CPUTIME_ID, seconds);
  shared->nanos += Nanos(CLOCK_PROCESS_CPUTIME_ID);
  ++shared->count;
  _exit(0);
}

int CpuOfReaped(char** arguments) {
  const int64_t start = Nanos(CLOCK_PROCESS_CPUTIME_ID);
  const int64_t count = ParseNumber(arguments[0]);
  const double seconds = ParseSeconds(arguments[1]);
  for (int64_t i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) return Report(i, errno);
    if (child == 0) {
      SpinUntil(CLOCK_PROCESS_CPUTIME_ID, seconds);
      _exit(0);
    }
    waitpid(child, nullptr, 0);
  }
  return Report(OwnNanosSince(start) + ReapedNanos(), 0);
}

// They stay zombies: no rusage of anybody ever has their time, but the clock of
// each can be read.
int CpuOfUnreaped(char** arguments) {
  const int64_t start = Nanos(CLOCK_PROCESS_CPUTIME_ID);
  const int64_t count = ParseNumber(arguments[0]);
  const double seconds = ParseSeconds(arguments[1]);
  int64_t sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) return Report(i, errno);
    if (child == 0) {
      SpinUntil(CLOCK_PROCESS_CPUTIME_ID, seconds);
      _exit(0);
    }
    siginfo_t info;
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    clockid_t clock = 0;
    if (const int error = clock_getcpuclockid(child, &clock); error != 0) {
      return Report(i, error);
    }
    sum += Nanos(clock);
  }
  return Report(OwnNanosSince(start) + sum, 0);
}

// Orphans in sessions of their own, which the sandbox's init reaps.
int CpuOfDaemons(char** arguments) {
  const int64_t start = Nanos(CLOCK_PROCESS_CPUTIME_ID);
  const int64_t count = ParseNumber(arguments[0]);
  const double seconds = ParseSeconds(arguments[1]);
  Shared* shared = MakeShared();
  for (int64_t i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) return Report(i, errno);
    if (child == 0) {
      setsid();
      if (fork() == 0) BurnAndTell(seconds, shared);
      _exit(0);
    }
    waitpid(child, nullptr, 0);
    WaitForCount(shared, i + 1);
  }
  return Report(OwnNanosSince(start) + ReapedNanos() + shared->nanos, 0);
}

// A child that is stopped when its work is done and killed with the sandbox.
int CpuOfSurvivor(char** arguments) {
  const int64_t start = Nanos(CLOCK_PROCESS_CPUTIME_ID);
  const double seconds = ParseSeconds(arguments[0]);
  Shared* shared = MakeShared();
  const pid_t child = fork();
  if (child < 0) return Report(0, errno);
  if (child == 0) {
    SpinUntil(CLOCK_PROCESS_CPUTIME_ID, seconds);
    shared->nanos += Nanos(CLOCK_PROCESS_CPUTIME_ID);
    raise(SIGSTOP);
    _exit(1);
  }
  waitpid(child, nullptr, WUNTRACED);
  return Report(OwnNanosSince(start) + shared->nanos, 0);
}

int CpuOfThreads(char** arguments) {
  const int64_t start = Nanos(CLOCK_PROCESS_CPUTIME_ID);
  const int64_t count = ParseNumber(arguments[0]);
  const double seconds = ParseSeconds(arguments[1]);
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < count; ++i) {
    threads.emplace_back(
        [seconds] { SpinUntil(CLOCK_THREAD_CPUTIME_ID, seconds); });
  }
  for (std::thread& thread : threads) thread.join();
  return Report(OwnNanosSince(start), 0);
}

int CpuInUserMode(char** arguments) {
  const int64_t start = Nanos(CLOCK_PROCESS_CPUTIME_ID);
  SpinUntil(CLOCK_PROCESS_CPUTIME_ID,
            static_cast<double>(start) * 1e-9 + ParseSeconds(arguments[0]));
  return Report(OwnNanosSince(start), 0);
}

int CpuInKernel(char** arguments) {
  static char block[256 << 10];
  const int64_t start = Nanos(CLOCK_PROCESS_CPUTIME_ID);
  const double seconds = ParseSeconds(arguments[0]);
  const int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Report(0, errno);
  while (static_cast<double>(OwnNanosSince(start)) * 1e-9 < seconds) {
    if (read(fd, block, sizeof(block)) < 0) return Report(0, errno);
  }
  return Report(OwnNanosSince(start), 0);
}

// Each generation burns and makes itself into the next. A process's clock goes
// on through execve(2). COUNT 0: for ever. START: 0 from outside.
int CpuOfExecChain(char** arguments) {
  int64_t start = ParseNumber(arguments[2]);
  if (start == 0) start = Nanos(CLOCK_PROCESS_CPUTIME_ID);
  const int64_t count = ParseNumber(arguments[0]);
  SpinUntil(CLOCK_PROCESS_CPUTIME_ID,
            Now(CLOCK_PROCESS_CPUTIME_ID) + ParseSeconds(arguments[1]));
  if (count == 1) return Report(OwnNanosSince(start), 0);
  const std::string left = std::to_string(count == 0 ? 0 : count - 1);
  const std::string since = std::to_string(start);
  execl("/proc/self/exe", "probe", "cpu-exec-chain", left.c_str(), arguments[1],
        since.c_str(), nullptr);
  return Report(0, errno);
}

}  // namespace

const Probe kCpuProbes[] = {
    {"cpu-user", 1, "SECONDS", CpuInUserMode},
    {"cpu-kernel", 1, "SECONDS", CpuInKernel},
    {"cpu-threads", 2, "COUNT SECONDS each", CpuOfThreads},
    {"cpu-reaped", 2, "COUNT SECONDS of each child", CpuOfReaped},
    {"cpu-unreaped", 2, "COUNT SECONDS of each zombie", CpuOfUnreaped},
    {"cpu-daemons", 2, "COUNT SECONDS of each orphan", CpuOfDaemons},
    {"cpu-survivor", 1, "SECONDS of a child that stays", CpuOfSurvivor},
    {"cpu-exec-chain", 3, "COUNT SECONDS START", CpuOfExecChain},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
