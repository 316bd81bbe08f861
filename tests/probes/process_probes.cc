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

int UnshareUser(char** /*arguments*/) {
  return Report(0, unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
}

// The first thread ends alone, as if that were the program's end; a second one
// ends the program later.
int ExitLeader(char** arguments) {
  const int status = static_cast<int>(ParseNumber(arguments[0]));
  std::thread([status] {
    usleep(100 * 1000);
    _exit(status);
  }).detach();
  syscall(SYS_exit, 0);
  return 0;
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
    {"unshare-user", 0, "", UnshareUser},
    {"exit-leader", 1, "STATUS, some time after its first thread", ExitLeader},
    {"kill-all", 0, "", SignalEveryone},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
