#include "tests/unit/serving/scripted_worker.h"

#include <poll.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "worker/wire/channel.h"

namespace paddock {
namespace {

constexpr auto kPatience = std::chrono::seconds(10);
constexpr int kPatienceMs = 10'000;

[[noreturn]] void Fail(const char* what) {
  fprintf(stderr, "scripted worker: %s\n", what);
  abort();
}

void Check(const absl::Status& status, const char* what) {
  if (!status.ok()) Fail(what);
}

bool Readable(int fd, int timeout_ms) {
  pollfd poll_fd = {fd, POLLIN, 0};
  return poll(&poll_fd, 1, timeout_ms) == 1;
}

}  // namespace

void ScriptedWorker::SendReady() {
  internal::v1::WorkerMessage message;
  message.mutable_ready()->add_layers()->set_layer("scripted");
  Send(message);
}

std::optional<internal::v1::ServerMessage> ScriptedWorker::Receive() {
  if (!Readable(channel_.get(), kPatienceMs)) Fail("nothing came");
  internal::v1::ServerMessage message;
  const absl::Status status = ReceiveMessage(channel_.get(), &message);
  if (absl::IsUnavailable(status)) return std::nullopt;
  Check(status, "receive");
  return message;
}

uint64_t ScriptedWorker::ReceiveRun() {
  const auto message = Receive();
  if (!message || !message->has_run()) Fail("no run came");
  return message->run().run_id();
}

uint64_t ScriptedWorker::ReceiveCancel() {
  const auto message = Receive();
  if (!message || !message->has_cancel()) Fail("no cancellation came");
  return message->cancel().run_id();
}

void ScriptedWorker::SendStarted(uint64_t run_id) {
  internal::v1::WorkerMessage message;
  message.mutable_started()->set_run_id(run_id);
  Send(message);
}

void ScriptedWorker::SendFinished(uint64_t run_id, v1::Outcome outcome,
                                  const std::string& text) {
  internal::v1::WorkerMessage message;
  message.mutable_finished()->set_run_id(run_id);
  message.mutable_finished()->mutable_result()->set_outcome(outcome);
  message.mutable_finished()->mutable_result()->set_message(text);
  Send(message);
}

void ScriptedWorker::Send(const internal::v1::WorkerMessage& message) {
  // The pool may have hung up, which some tests are about.
  (void)SendMessage(channel_.get(), message);
}

void ScriptedWorker::SendBytes(const std::string& bytes) {
  Check(SendPacket(channel_.get(), bytes), "send");
}

bool ScriptedWorker::HasMessage(absl::Duration patience) {
  return Readable(channel_.get(), absl::ToInt64Milliseconds(patience));
}

ScriptedSupervisor::ScriptedSupervisor() {
  auto pair = MakeSocketPair();
  Check(pair.status(), "socket pair");
  own_end_ = std::move(pair->first);
  server_end_ = std::move(pair->second);
}

ScriptedWorker ScriptedSupervisor::StartWorker(int32_t slot) {
  auto pair = MakeSocketPair();
  Check(pair.status(), "socket pair");
  internal::v1::SupervisorMessage message;
  message.mutable_worker_started()->set_slot(slot);
  message.mutable_worker_started()->set_incarnation(next_incarnation_);
  Check(SendMessage(own_end_.get(), message, {pair->second.get()}), "send");
  return ScriptedWorker(std::move(pair->first), slot, next_incarnation_++);
}

ScriptedWorker ScriptedSupervisor::StartReadyWorker(int32_t slot) {
  ScriptedWorker worker = StartWorker(slot);
  worker.SendReady();
  return worker;
}

void ScriptedSupervisor::TellExited(const ScriptedWorker& worker) {
  internal::v1::SupervisorMessage message;
  message.mutable_worker_exited()->set_slot(worker.slot());
  message.mutable_worker_exited()->set_incarnation(worker.incarnation());
  Check(SendMessage(own_end_.get(), message), "send");
}

internal::v1::ServerControl ScriptedSupervisor::Receive() {
  if (!Readable(own_end_.get(), kPatienceMs)) Fail("the server says nothing");
  internal::v1::ServerControl message;
  Check(ReceiveMessage(own_end_.get(), &message), "receive");
  return message;
}

internal::v1::ReplaceWorker ScriptedSupervisor::ReceiveReplace() {
  for (;;) {
    const internal::v1::ServerControl message = Receive();
    if (message.has_replace_worker()) return message.replace_worker();
    if (!message.has_worker_up()) Fail("something else came");
  }
}

template <typename Condition>
bool RecordingObserver::WaitFor(Condition condition) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, condition);
}

void RecordingObserver::OnWorkerReady(const internal::v1::WorkerReady&) {
  const std::lock_guard lock(mutex_);
  ++ready_;
  changed_.notify_all();
}

void RecordingObserver::OnWorkerStats(const internal::v1::WorkerStats&) {
  const std::lock_guard lock(mutex_);
  ++stats_;
  changed_.notify_all();
}

void RecordingObserver::OnWorkerLost(int32_t slot, WorkerLoss loss,
                                     const std::string&) {
  const std::lock_guard lock(mutex_);
  losses_.push_back({slot, loss});
  changed_.notify_all();
}

void RecordingObserver::OnAvailable(bool available) {
  const std::lock_guard lock(mutex_);
  available_ = available;
  changed_.notify_all();
}

void RecordingObserver::OnSupervisorGone(const std::string&) {
  const std::lock_guard lock(mutex_);
  gone_ = true;
  changed_.notify_all();
}

bool RecordingObserver::WaitAvailable(bool available) {
  return WaitFor([&] { return available_ == available; });
}

bool RecordingObserver::WaitReady(int count) {
  return WaitFor([&] { return ready_ >= count; });
}

bool RecordingObserver::WaitSupervisorGone() {
  return WaitFor([&] { return gone_; });
}

bool RecordingObserver::WaitStats() {
  return WaitFor([&] { return stats_ > 0; });
}

std::vector<std::pair<int32_t, WorkerLoss>> RecordingObserver::WaitLosses(
    size_t count) {
  WaitFor([&] { return losses_.size() >= count; });
  const std::lock_guard lock(mutex_);
  return losses_;
}

std::function<void(RunReport)> PendingReport::Taker() {
  return [state = state_](RunReport report) {
    const std::lock_guard lock(state->mutex);
    if (state->report) Fail("a run was reported twice");
    state->report = std::move(report);
    state->changed.notify_all();
  };
}

bool PendingReport::IsThere() {
  const std::lock_guard lock(state_->mutex);
  return state_->report.has_value();
}

RunReport PendingReport::Wait() {
  std::unique_lock lock(state_->mutex);
  if (!state_->changed.wait_for(lock, kPatience,
                                [&] { return state_->report.has_value(); })) {
    Fail("a run was not reported");
  }
  return *state_->report;
}

RunSpec MakeRun(const std::string& name) {
  RunSpec spec;
  spec.process.add_argv(name);
  spec.process.mutable_limits()->mutable_wall_time()->set_seconds(60);
  return spec;
}

}  // namespace paddock
