#ifndef PADDOCK_SERVER_SUPERVISOR_SUPERVISOR_H_
#define PADDOCK_SERVER_SUPERVISOR_SUPERVISOR_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/supervisor/cgroup_instance.h"
#include "server/supervisor/server_process.h"
#include "server/supervisor/worker_fleet.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// Theory of operation.
//   supervisor  this process: root, one thread, no network. Starts the others,
//               starts again what dies, and owns the cgroups.
//   server      uid of the service user, without any privilege. Talks to
//               clients, and to each worker over a channel of their own.
//   worker      root with a cut bounding set. Runs one program at a time.
// control socket  supervisor <-> server: channels of new workers and news of
//                 dead ones in, readiness and wishes to replace one out.
// channel         server <-> worker; the supervisor makes it and keeps neither
//                 end.
// Death runs downwards: PR_SET_PDEATHSIG ends server and workers with the
// supervisor, and the workers' end those of the sandboxes. When the server
// dies, all workers are ended: what they run belongs to calls that are gone.
// As child subreaper, the supervisor reaps whatever dead workers leave.
//
// One loop: poll(2) on a signalfd and the control socket.
class Supervisor {
 public:
  // `signals` is a signalfd for SIGTERM, SIGINT, SIGHUP and SIGCHLD, which are
  // blocked. `ready_fd` may be invalid.
  Supervisor(ServerProgram server, WorkerProgram workers,
             CgroupInstance cgroups, UniqueFd signals, UniqueFd ready_fd);

  // Runs until it is told to stop. Returns the exit code: 0 after a stop that
  // was asked for, 1 if the service could not be started or not ended well.
  int Run();

 private:
  enum class State {
    kStarting,    // never been ready
    kRunning,     // has been ready
    kRestarting,  // the server died: nothing is started before restart_at_
    kStopping,    // the server was told to stop
    kEnding,      // the server is gone, workers are being killed
  };

  void StartAll();
  void WaitForEvents();
  void HandleSignals();
  void HandleStopSignal(int number);
  void ReapChildren();
  void HandleWorkerEnd(const WorkerEnd& end, int status);
  void HandleServerEnd(int status);
  void HandleControl();
  void HandleMessage(const internal::v1::ServerControl& control);
  void LoseServer(absl::Duration patience);
  void HandleReady(const internal::v1::ServerReady& ready);
  void RunTimers();
  void ReportStartErrors();
  void CheckStart(absl::Time now);
  void RemoveLeftovers(absl::Time now);
  absl::Time NextTimer() const;

  void Fail(const std::string& why);
  void BeginStop(absl::Duration patience);
  void BeginEnd();
  void ReapUntilNoneIsLeft();
  int End();

  ServerProcess server_;
  WorkerFleet workers_;
  CgroupInstance cgroups_;
  UniqueFd signals_;
  UniqueFd ready_fd_;

  State state_ = State::kStarting;
  int exit_code_ = 0;
  absl::Time start_deadline_;
  absl::Time next_start_warning_;
  absl::Time restart_at_ = absl::InfiniteFuture();
  absl::Time stop_deadline_ = absl::InfiniteFuture();

  // Sandboxes' cgroups of a dead worker, by the start of their names.
  struct Leftover {
    std::string prefix;
    absl::Time deadline;
  };
  std::vector<Leftover> leftovers_;
  absl::Time next_removal_ = absl::InfiniteFuture();
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_SUPERVISOR_H_
