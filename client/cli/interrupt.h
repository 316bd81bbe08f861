#ifndef PADDOCK_CLIENT_CLI_INTERRUPT_H_
#define PADDOCK_CLIENT_CLI_INTERRUPT_H_

#include <signal.h>

#include <atomic>
#include <thread>

#include "client/paddock_client.h"

namespace paddock {

// Until it is stopped, SIGINT, SIGTERM and SIGHUP end the call that uses
// `canceller` instead of this process, so that the job is dead before the
// command returns. At most one object at a time. Construct it before the first
// gRPC object: threads made later inherit the blocked signals, and one that had
// them open would die of them.
class InterruptWatcher {
 public:
  explicit InterruptWatcher(Canceller* canceller);
  ~InterruptWatcher();
  InterruptWatcher(const InterruptWatcher&) = delete;
  InterruptWatcher& operator=(const InterruptWatcher&) = delete;

  // From here on the signals do what they did before. For when the call has
  // returned: whatever is done with its answer must be as easy to interrupt as
  // in any command.
  void Stop();

  // The signal that came; 0 if none did.
  int signal() const { return signal_; }

 private:
  void Watch(Canceller* canceller);

  sigset_t watched_;
  sigset_t before_;
  std::atomic<int> signal_ = 0;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_INTERRUPT_H_
