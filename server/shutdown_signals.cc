#include "server/shutdown_signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/time/clock.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

// poll(2) counts milliseconds in an int.
constexpr absl::Duration kLongestPoll = absl::Hours(1);

int PollMs(absl::Duration patience) {
  const absl::Duration wait =
      std::clamp(patience, absl::ZeroDuration(), kLongestPoll);
  return static_cast<int>(
      absl::ToInt64Milliseconds(absl::Ceil(wait, absl::Milliseconds(1))));
}

}  // namespace

absl::StatusOr<ShutdownSignals> ShutdownSignals::Block() {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  if (const int error = pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return ErrnoStatus(error, "pthread_sigmask");
  }
  ShutdownSignals signals;
  signals.signals_.Reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.signals_.valid()) return ErrnoStatus(errno, "signalfd");
  signals.wake_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!signals.wake_.valid()) return ErrnoStatus(errno, "eventfd");
  return signals;
}

ShutdownSignals::Event ShutdownSignals::Wait(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  for (;;) {
    pollfd fds[] = {{signals_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    poll(fds, 2, PollMs(deadline - absl::Now()));
    signalfd_siginfo info = {};
    if (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
      const auto sender = static_cast<pid_t>(info.ssi_pid);
      if (senders_.contains(sender)) return Event::kStopNow;
      senders_.insert(sender);
      if (senders_.size() == 1) return Event::kStop;
    }
    uint64_t wakes = 0;
    if (read(wake_.get(), &wakes, sizeof(wakes)) == sizeof(wakes)) {
      return Event::kWoken;
    }
    if (absl::Now() >= deadline) return Event::kNothing;
  }
}

void ShutdownSignals::Wake() {
  const uint64_t one = 1;
  (void)!write(wake_.get(), &one, sizeof(one));
}

}  // namespace paddock
