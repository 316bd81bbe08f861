#include "server/supervisor/worker_fleet.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/supervisor/child_process.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"
#include "worker/base/status_macros.h"

namespace paddock {

WorkerFleet::WorkerFleet(WorkerProgram program)
    : program_(std::move(program)), slots_(program_.config.workers().count()) {}

void WorkerFleet::StartDue(absl::Time now, ServerLink* server) {
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].pid != 0 || slots_[slot].start_at > now) continue;
    const absl::Status started = Start(static_cast<int>(slot));
    if (started.ok()) {
      if (server != nullptr) Announce(static_cast<int>(slot), server);
    } else {
      slots_[slot].start_at =
          now + slots_[slot].backoff.NextDelay(/*had_worked=*/false);
      start_errors_.push_back(
          absl::StrCat("worker ", slot, ": ", started.message()));
    }
  }
}

absl::Status WorkerFleet::Start(int slot) {
  Slot& entry = slots_[slot];
  internal::v1::WorkerLaunch launch;
  *launch.mutable_config() = program_.config;
  launch.set_slot(slot);
  launch.set_incarnation(++last_incarnation_);
  *launch.mutable_cgroups() = program_.cgroups;
  *launch.mutable_ids() = program_.ids[slot];
  ASSIGN_OR_RETURN(const UniqueFd memfd,
                   SealedMemfd("paddock-launch", launch.SerializeAsString()));
  ASSIGN_OR_RETURN(SocketPair channel, MakeSocketPair());
  ChildProgram program;
  program.executable = program_.executable.get();
  program.argv = {"paddock-worker", absl::StrCat("--launch-fd=", memfd.get()),
                  absl::StrCat("--channel-fd=", channel.second.get()),
                  absl::StrCat("--parent-pid=", getpid())};
  program.descriptors = {memfd.get(), channel.second.get()};
  ASSIGN_OR_RETURN(entry.pid, StartChild(program));
  entry.incarnation = last_incarnation_;
  entry.is_up = false;
  entry.end_expected = false;
  entry.server_end = std::move(channel.first);
  return absl::OkStatus();
}

void WorkerFleet::Announce(ServerLink* server) {
  for (size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].server_end.valid()) {
      Announce(static_cast<int>(slot), server);
    }
  }
}

// A server that cannot be told is gone or hangs: its own end is what counts.
void WorkerFleet::Announce(int slot, ServerLink* server) {
  internal::v1::SupervisorMessage message;
  message.mutable_worker_started()->set_slot(slot);
  message.mutable_worker_started()->set_incarnation(slots_[slot].incarnation);
  server->Send(message, std::move(slots_[slot].server_end)).IgnoreError();
}

absl::Time WorkerFleet::NextStart() const {
  absl::Time next = absl::InfiniteFuture();
  for (const Slot& slot : slots_) {
    if (slot.pid == 0) next = std::min(next, slot.start_at);
  }
  return next;
}

std::optional<WorkerEnd> WorkerFleet::HandleEnd(pid_t pid, absl::Time now,
                                                ServerLink* server) {
  const auto found =
      std::find_if(slots_.begin(), slots_.end(),
                   [pid](const Slot& slot) { return slot.pid == pid; });
  if (found == slots_.end()) return std::nullopt;
  found->pid = 0;
  found->server_end.Reset();
  WorkerEnd end;
  end.slot = static_cast<int>(found - slots_.begin());
  end.incarnation = found->incarnation;
  end.expected = found->end_expected;
  if (!end.expected) {
    end.delay = found->backoff.NextDelay(found->is_up);
  }
  end.failures = found->backoff.failures();
  found->start_at = now + end.delay;
  if (server != nullptr) {
    internal::v1::SupervisorMessage message;
    message.mutable_worker_exited()->set_slot(end.slot);
    message.mutable_worker_exited()->set_incarnation(end.incarnation);
    server->Send(message).IgnoreError();
  }
  return end;
}

WorkerFleet::Slot* WorkerFleet::Find(int slot, int64_t incarnation) {
  if (slot < 0 || slot >= static_cast<int>(slots_.size())) return nullptr;
  Slot& entry = slots_[slot];
  const bool runs = entry.pid != 0 && entry.incarnation == incarnation;
  return runs ? &entry : nullptr;
}

void WorkerFleet::MarkUp(int slot, int64_t incarnation) {
  if (Slot* entry = Find(slot, incarnation)) entry->is_up = true;
}

void WorkerFleet::Replace(int slot, int64_t incarnation) {
  // Not reaped yet, so the pid is still this worker's.
  if (const Slot* entry = Find(slot, incarnation)) kill(entry->pid, SIGKILL);
}

void WorkerFleet::KillAll() {
  for (Slot& slot : slots_) {
    if (slot.pid == 0) continue;
    slot.end_expected = true;
    kill(slot.pid, SIGKILL);
  }
}

int WorkerFleet::alive() const {
  return static_cast<int>(
      std::count_if(slots_.begin(), slots_.end(),
                    [](const Slot& slot) { return slot.pid != 0; }));
}

std::vector<std::string> WorkerFleet::TakeStartErrors() {
  return std::exchange(start_errors_, {});
}

}  // namespace paddock
