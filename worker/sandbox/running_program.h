#ifndef PADDOCK_WORKER_SANDBOX_RUNNING_PROGRAM_H_
#define PADDOCK_WORKER_SANDBOX_RUNNING_PROGRAM_H_

#include <linux/seccomp.h>

#include <functional>
#include <optional>

#include "absl/time/time.h"
#include "worker/base/unique_fd.h"
#include "worker/sandbox/limit_clock.h"
#include "worker/sandbox/output_capture.h"
#include "worker/sandbox/record_locks.h"
#include "worker/sandbox/run_spec.h"
#include "worker/sandbox/sandbox.h"
#include "worker/sandbox/socket_watch.h"

namespace paddock {

// What else the thread that watches a program attends to.
struct Surroundings {
  // One descriptor that can end the run from outside: the server's channel.
  int cancel_fd = -1;
  // Called when `cancel_fd` is readable. True: kill the program.
  std::function<bool()> cancelled;
  // A short piece of other work, mostly of a few milliseconds. Called now and
  // then while a program runs for long and no limit is near, until it says
  // false: there is none.
  std::function<bool()> do_chore;
};

// A program that has its plan. Process: worker.
class RunningProgram {
 public:
  RunningProgram(DeadSandbox parts, UniqueFd out, UniqueFd err,
                 const RunSpec& spec);

  // Whether the program was released; if not, Wait returns at once.
  bool started() const { return started_; }

  // Watches limits until the program has ended or had to be killed, kills what
  // is left of its group, and reads what there is to know.
  RunReport Wait(const Surroundings& surroundings);

  // Of the dead sandbox, after Wait.
  DeadSandbox TakeParts() && { return std::move(parts_); }

 private:
  // Most programs end before this, and are watched undisturbed.
  static constexpr absl::Duration kChoresFrom = absl::Milliseconds(100);

  absl::Status Prepare();
  absl::Status SendPlan();
  void Fail(init::SetupStep step, const absl::Status& status);

  void WatchUntilEnded(const Surroundings& surroundings);
  absl::Duration UntilNextChore(absl::Duration now) const;
  void OnStatus();
  void OnPlanSocket();
  void OnListener(int events);
  void HearTheRest();
  void Answer(uint64_t id, int error);
  void OnOomEvent();
  void LookForOomKill();
  void LookAtClock();
  void LookAtSockets();
  void Kill(EndReason reason);
  bool Ended() const;
  bool EndedInTime() const;

  void FinishGroup();
  void Decide();
  void Collect();

  const RunSpec& spec_;
  DeadSandbox parts_;
  OutputCapture out_;
  OutputCapture err_;
  LimitClock clock_;
  SocketWatch sockets_;
  RecordLockLimit locks_;
  RunReport report_;
  bool started_ = false;
  bool init_gone_ = false;
  // Why we killed the group, if we did.
  std::optional<EndReason> killed_;
  absl::Time killed_at_;
  absl::Time start_;
  absl::Time end_;
  absl::Duration cpu_before_;
  // Until then, since start_, an OOM event may be followed by a kill.
  absl::Duration oom_kill_until_;
  absl::Duration next_chore_ = kChoresFrom;  // since start_
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_RUNNING_PROGRAM_H_
