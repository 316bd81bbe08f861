#ifndef PADDOCK_SERVER_SUPERVISOR_WORKER_FLEET_H_
#define PADDOCK_SERVER_SUPERVISOR_WORKER_FLEET_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "paddock/internal/v1/launch.pb.h"
#include "server/supervisor/backoff.h"
#include "server/supervisor/server_link.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// What every worker is started with; slot and incarnation differ.
struct WorkerProgram {
  UniqueFd executable;
  config::v1::Config config;
  internal::v1::CgroupLayout cgroups;
  std::vector<internal::v1::SlotIds> ids;  // one of each slot
};

// A worker that has ended.
struct WorkerEnd {
  int slot = 0;
  int64_t incarnation = 0;
  bool expected = false;  // we ended it
  int failures = 0;       // of this slot to start, in a row
  absl::Duration delay;   // until the next one is started
};

// The workers, one in each slot. Tells the server who comes and who goes.
// Process: supervisor.
class WorkerFleet {
 public:
  explicit WorkerFleet(WorkerProgram program);

  // Starts a worker in every empty slot whose delay is over. `server` may be
  // null: then Announce() tells it later.
  void StartDue(absl::Time now, ServerLink* server);
  // When the next one is due; InfiniteFuture if every slot has its worker.
  absl::Time NextStart() const;

  // Gives a new server the workers' channels.
  void Announce(ServerLink* server);

  // A child of the supervisor has ended: nullopt if it was no worker.
  std::optional<WorkerEnd> HandleEnd(pid_t pid, absl::Time now,
                                     ServerLink* server);

  // The server says that this worker is ready. Until then its death counts as a
  // failure to start.
  void MarkUp(int slot, int64_t incarnation);
  // SIGKILLs the worker. One that is not there any more is no error.
  void Replace(int slot, int64_t incarnation);
  // SIGKILLs all; HandleEnd is still called for each. They start again when
  // StartDue() is called, without delay.
  void KillAll();
  int alive() const;

  // Failures of StartDue since the last call, for the log.
  std::vector<std::string> TakeStartErrors();

 private:
  struct Slot {
    pid_t pid = 0;  // 0: none
    int64_t incarnation = 0;
    bool is_up = false;
    bool end_expected = false;
    UniqueFd server_end;  // of its channel, until a server has it
    absl::Time start_at = absl::InfinitePast();
    Backoff backoff;
  };

  absl::Status Start(int slot);
  // Null if that worker does not run.
  Slot* Find(int slot, int64_t incarnation);
  void Announce(int slot, ServerLink* server);

  WorkerProgram program_;
  std::vector<Slot> slots_;
  int64_t last_incarnation_ = 0;
  std::vector<std::string> start_errors_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_WORKER_FLEET_H_
