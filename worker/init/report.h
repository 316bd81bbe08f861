#ifndef PADDOCK_WORKER_INIT_REPORT_H_
#define PADDOCK_WORKER_INIT_REPORT_H_

#include "worker/init/plan.h"

namespace paddock::init {

// Sends one packet with up to four descriptors; false with errno.
bool SendReport(int socket, const Report& report,
                const int* descriptors = nullptr, int descriptor_count = 0);

// Reports each failing step to `socket` and ends the process.
class StepReporter {
 public:
  explicit StepReporter(int socket) : socket_(socket) {}
  // `ok` is the result of the step's calls; errno is theirs.
  void Run(SetupStep step, bool ok) const {
    if (!ok) Fail(step);
  }
  [[noreturn]] void Fail(SetupStep step) const;

 private:
  const int socket_;
};

// Closes every descriptor above 2 that is not in `keep`. Sorts `keep`.
bool CloseAllBut(int* keep, int count);

// Needs CAP_SETPCAP: capabilities(7), "Capability bounding set".
bool EmptyBoundingSet();

// Leaves no permitted, effective, inheritable or ambient capability.
bool EmptyCapabilitySets();

}  // namespace paddock::init

#endif  // PADDOCK_WORKER_INIT_REPORT_H_
