#ifndef PADDOCK_WORKER_SANDBOX_LIMIT_CLOCK_H_
#define PADDOCK_WORKER_SANDBOX_LIMIT_CLOCK_H_

#include <optional>

#include "absl/time/time.h"
#include "worker/sandbox/run_spec.h"

namespace paddock {

// Decides when to look at a running program, and whether a time limit is spent.
// Knows nothing of cgroups or clocks: `now` is time since the program's start,
// `cpu` is the CPU time of its group since then.
class LimitClock {
 public:
  // `online_cpus` bounds how fast CPU time can pass.
  LimitClock(const ProgramLimits& limits, int online_cpus);

  // What was exceeded, if anything. Call it when NextLook has passed, or at any
  // other time.
  std::optional<EndReason> Look(absl::Duration now, absl::Duration cpu);

  // Since the start. CPU time cannot be spent before then, whatever runs: left
  // time over the CPUs that the program can use, so no fixed interval.
  absl::Duration NextLook() const { return next_look_; }

 private:
  void UpdateIdle(absl::Duration now, absl::Duration cpu);

  const ProgramLimits limits_;
  double usable_cpus_;
  absl::Duration idle_window_;
  absl::Duration next_look_;
  // The span without CPU time began here; the reading that says so.
  absl::Duration idle_since_ = absl::ZeroDuration();
  absl::Duration window_start_ = absl::ZeroDuration();
  absl::Duration window_cpu_ = absl::ZeroDuration();
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_LIMIT_CLOCK_H_
