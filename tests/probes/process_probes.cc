#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>
#include <vector>

#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

// `count` children that live until the probe ends.
int Fork(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  for (int64_t i = 0; i < count; ++i) {
    const pid_t child = fork();
    if (child < 0) return Report(i, errno);
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      pause();
      _exit(0);
    }
  }
  return Report(count, 0);
}

int StartThreads(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  std::vector<std::thread> threads;
  int error = 0;
  for (int64_t i = 0; i < count && error == 0; ++i) {
    try {
      threads.emplace_back([] { pause(); });
    } catch (const std::system_error& refused) {
      error = refused.code().value();
    }
  }
  const int status = Report(static_cast<int64_t>(threads.size()), error);
  _exit(status);  // the threads never end
}

// A grandchild that outlives its parents and holds stdout open.
int Daemon(char** arguments) {
  const int64_t seconds = ParseNumber(arguments[0]);
  if (fork() == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    for (int number = 1; number < NSIG; ++number) signal(number, SIG_IGN);
    sleep(static_cast<unsigned>(seconds));
    _exit(0);
  }
  wait(nullptr);
  return Report(1, 0);
}

int RaiseSignal(char** arguments) {
  const int number = static_cast<int>(ParseNumber(arguments[0]));
  signal(number, SIG_DFL);
  kill(getpid(), number);
  return Report(0, 0);
}

int Exit(char** arguments) {
  _exit(static_cast<int>(ParseNumber(arguments[0])));
}

// getpid by the 32-bit entry, which no 64-bit program uses.
int CallForeignArchitecture(char** /*arguments*/) {
#if defined(__x86_64__)
  int64_t result = 20;
  asm volatile("int $0x80"
               : "+a"(result)
               :
               : "memory", "r8", "r9", "r10", "r11");
  return Report(result, result < 0 ? static_cast<int>(-result) : 0);
#else
  return Report(0, ENOSYS);
#endif
}

int UnshareUser(char** /*arguments*/) {
  return Report(0, unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
}

int OpenSocket(char** arguments) {
  const int fd = socket(static_cast<int>(ParseNumber(arguments[0])),
                        SOCK_STREAM | SOCK_CLOEXEC, 0);
  return Report(fd, fd < 0 ? errno : 0);
}

int SignalEveryone(char** /*arguments*/) {
  return Report(0, kill(-1, SIGKILL) == 0 ? 0 : errno);
}

}  // namespace

const Probe kProcessProbes[] = {
    {"fork", 1, "COUNT children at a time", Fork},
    {"threads", 1, "COUNT beside the first", StartThreads},
    {"daemon", 1, "SECONDS that a deaf orphan lives", Daemon},
    {"signal", 1, "NUMBER sent to itself", RaiseSignal},
    {"exit", 1, "STATUS", Exit},
    {"foreign-call", 0, "", CallForeignArchitecture},
    {"unshare-user", 0, "", UnshareUser},
    {"socket", 1, "FAMILY", OpenSocket},
    {"kill-all", 0, "", SignalEveryone},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
