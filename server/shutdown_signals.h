#ifndef PADDOCK_SERVER_SHUTDOWN_SIGNALS_H_
#define PADDOCK_SERVER_SHUTDOWN_SIGNALS_H_

#include <sys/types.h>

#include <set>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// SIGTERM as something to wait for. A terminal's SIGINT and SIGHUP are ignored:
// they reach the supervisor too, which decides.
class ShutdownSignals {
 public:
  // Blocks SIGTERM in this thread and all it starts: call it before any other
  // thread exists.
  static absl::StatusOr<ShutdownSignals> Block();

  enum class Event {
    kNothing,  // `patience` is over
    kStop,     // SIGTERM
    kStopNow,  // SIGTERM again from the same sender
    kWoken,    // by Wake
  };
  // What comes first. A service manager may send SIGTERM to every process of
  // the service, and the supervisor forwards its own: that is one wish to stop,
  // so the second SIGTERM of another sender is none.
  Event Wait(absl::Duration patience);
  // Ends one Wait of another thread.
  void Wake();

 private:
  ShutdownSignals() = default;
  UniqueFd signals_;
  UniqueFd wake_;
  std::set<pid_t> senders_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SHUTDOWN_SIGNALS_H_
