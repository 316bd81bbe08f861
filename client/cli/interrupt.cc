#include "client/cli/interrupt.h"

#include <pthread.h>

namespace paddock {
namespace {

// As nohup(1) and shells' background jobs have it. Blocked, such a signal would
// be delivered to sigwait(3) all the same.
bool IsIgnored(int signal) {
  struct sigaction action;
  return sigaction(signal, nullptr, &action) == 0 &&
         action.sa_handler == SIG_IGN;
}

// Ends the thread; nobody else sends it to a command like this one.
constexpr int kWake = SIGUSR2;

}  // namespace

InterruptWatcher::InterruptWatcher(Canceller* canceller) {
  sigemptyset(&watched_);
  sigaddset(&watched_, kWake);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (!IsIgnored(signal)) sigaddset(&watched_, signal);
  }
  pthread_sigmask(SIG_BLOCK, &watched_, &before_);
  thread_ = std::thread([this, canceller] { Watch(canceller); });
}

InterruptWatcher::~InterruptWatcher() { Stop(); }

void InterruptWatcher::Stop() {
  if (!thread_.joinable()) return;
  done_ = true;
  // Wakes the thread; the mask still keeps the signal from anybody else.
  pthread_kill(thread_.native_handle(), kWake);
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void InterruptWatcher::Watch(Canceller* canceller) {
  int signal = 0;
  while (sigwait(&watched_, &signal) == 0 && !done_) {
    if (signal == kWake) continue;
    signal_ = signal;
    canceller->Cancel();
  }
}

}  // namespace paddock
