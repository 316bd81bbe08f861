#include "client/cli/broken_pipe.h"

#include <pthread.h>
#include <signal.h>

namespace paddock {
namespace {

sigset_t OnlyBrokenPipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

}  // namespace

// The signal is for the thread that writes: pipe(7), signal(7).
BrokenPipe::BrokenPipe() {
  struct sigaction action;
  if (sigaction(SIGPIPE, nullptr, &action) != 0 ||
      action.sa_handler == SIG_IGN) {
    return;
  }
  const sigset_t set = OnlyBrokenPipe();
  held_ = pthread_sigmask(SIG_BLOCK, &set, nullptr) == 0;
}

bool BrokenPipe::happened() const {
  sigset_t pending;
  return held_ && sigpending(&pending) == 0 &&
         sigismember(&pending, SIGPIPE) == 1;
}

void BrokenPipe::Deliver() {
  if (!held_) return;
  const sigset_t set = OnlyBrokenPipe();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace paddock
