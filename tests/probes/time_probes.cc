#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

#include "tests/probes/burn.h"
#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

// The clock also has what was used before exec, which is not the program's.
int Burn(char** arguments) {
  SpinUntil(CLOCK_PROCESS_CPUTIME_ID,
            Now(CLOCK_PROCESS_CPUTIME_ID) + ParseSeconds(arguments[0]));
  return Report(1, 0);
}

int BurnInThreads(char** arguments) {
  const double seconds = ParseSeconds(arguments[1]);
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < ParseNumber(arguments[0]); ++i) {
    threads.emplace_back(
        [seconds] { SpinUntil(CLOCK_THREAD_CPUTIME_ID, seconds); });
  }
  for (std::thread& thread : threads) thread.join();
  return Report(static_cast<int64_t>(threads.size()), 0);
}

// All at the same time, each in a process of its own.
int BurnInProcesses(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  const double seconds = ParseSeconds(arguments[1]);
  for (int64_t i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) return Report(i, errno);
    if (child == 0) {
      SpinUntil(CLOCK_PROCESS_CPUTIME_ID, seconds);
      _exit(0);
    }
  }
  while (wait(nullptr) > 0) {
  }
  return Report(count, 0);
}

// One child after another, never waited for: the CPU time is in nobody's
// rusage.
int BurnInChildren(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  const double seconds = ParseSeconds(arguments[1]);
  signal(SIGCHLD, SIG_IGN);
  for (int64_t i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      SpinUntil(CLOCK_PROCESS_CPUTIME_ID, seconds);
      _exit(0);
    }
    while (kill(child, 0) == 0) SleepFor(0.001);
  }
  return Report(count, 0);
}

int Sleep(char** arguments) {
  SleepFor(ParseSeconds(arguments[0]));
  return Report(1, 0);
}

// Sleeps in pieces with a little work between them.
int Doze(char** arguments) {
  const int64_t times = ParseNumber(arguments[0]);
  for (int64_t i = 0; i < times; ++i) {
    SleepFor(ParseSeconds(arguments[1]));
    SpinUntil(CLOCK_PROCESS_CPUTIME_ID,
              Now(CLOCK_PROCESS_CPUTIME_ID) + ParseSeconds(arguments[2]));
  }
  return Report(times, 0);
}

// Deaf to every signal that can be ignored.
int SleepDeaf(char** arguments) {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_IGN);
  SleepFor(ParseSeconds(arguments[0]));
  return Report(1, 0);
}

}  // namespace

const Probe kTimeProbes[] = {
    {"burn", 1, "SECONDS of CPU time", Burn},
    {"burn-threads", 2, "COUNT SECONDS in each thread", BurnInThreads},
    {"burn-processes", 2, "COUNT SECONDS in each process", BurnInProcesses},
    {"burn-children", 2, "COUNT SECONDS in each child", BurnInChildren},
    {"sleep", 1, "SECONDS", Sleep},
    {"doze", 3, "TIMES SLEEP-SECONDS BURN-SECONDS", Doze},
    {"sleep-deaf", 1, "SECONDS, ignoring signals", SleepDeaf},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
