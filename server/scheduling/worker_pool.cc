#include "server/scheduling/worker_pool.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/scheduling/memory_share.h"
#include "worker/base/status_macros.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {

using Clock = std::chrono::steady_clock;

// A run is given to this many workers at most.
constexpr int kMaxAttempts = 2;
// Keys of epoll events; links' keys follow.
constexpr uint64_t kWakeKey = 0;
constexpr uint64_t kControlKey = 1;
constexpr uint64_t kFirstLinkKey = 2;

absl::Duration WallTimeOf(const v1::Process& process) {
  if (!process.limits().has_wall_time()) return absl::InfiniteDuration();
  const auto& wall_time = process.limits().wall_time();
  return absl::Seconds(wall_time.seconds()) +
         absl::Nanoseconds(wall_time.nanos());
}

v1::WorkerState PublicState(WorkerLink::State state) {
  switch (state) {
    case WorkerLink::State::kIdle:
      return v1::WORKER_STATE_IDLE;
    case WorkerLink::State::kBusy:
      return v1::WORKER_STATE_BUSY;
    case WorkerLink::State::kStarting:
    case WorkerLink::State::kBroken:
      break;
  }
  return v1::WORKER_STATE_STARTING;
}

absl::Status Watch(int epoll, int fd, uint64_t key) {
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = key}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoStatus(errno, "epoll_ctl");
  }
  return absl::OkStatus();
}

}  // namespace

WorkerPool::WorkerPool(Options options, int control, PoolObserver* observer)
    : options_(options),
      control_(control),
      observer_(observer),
      next_key_(kFirstLinkKey),
      queue_(options.queue) {}

WorkerPool::~WorkerPool() {
  if (!thread_.joinable()) return;
  {
    const Lock lock(mutex_);
    stopping_ = true;
    WakeBefore(SteadyTime());
  }
  thread_.join();
}

absl::Status WorkerPool::Start() {
  epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return ErrnoStatus(errno, "epoll_create1");
  wake_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_.valid()) return ErrnoStatus(errno, "eventfd");
  RETURN_IF_ERROR(Watch(epoll_.get(), wake_.get(), kWakeKey));
  RETURN_IF_ERROR(Watch(epoll_.get(), control_, kControlKey));
  thread_ = std::thread([this] { Loop(); });
  return absl::OkStatus();
}

WorkerPool::Submission WorkerPool::Submit(RunSpec spec,
                                          std::function<void(RunReport)> done) {
  auto run = std::make_shared<Run>();
  run->priority = spec.priority;
  run->timeout = spec.timeout;
  run->wall_time = WallTimeOf(spec.process);
  // One that asks for more than there is would wait for ever: it runs alone.
  run->memory_share =
      std::min(MemoryShare(spec.process), options_.memory_budget_bytes);
  run->done = std::move(done);
  run->submitted = Clock::now();
  run->queue_deadline = AddTo(run->submitted, spec.queue_timeout);
  internal::v1::ServerMessage message;
  *message.mutable_run()->mutable_process() = std::move(spec.process);

  // The id is chosen early: serialising a large message is not for the mutex.
  {
    const Lock lock(mutex_);
    if (!available_) return {.refusal = Refusal::kNoWorkers};
    if (!CanStartAtOnce(*run) && queue_.size() >= queue_.capacity()) {
      return {.refusal = Refusal::kQueueFull};
    }
    run->id = next_run_id_++;
  }
  message.mutable_run()->set_run_id(run->id);
  absl::StatusOr<EncodedMessage> encoded = EncodeMessage(message);
  if (!encoded.ok()) return {.refusal = Refusal::kOutOfResources};
  run->message = std::move(encoded).value();

  const Lock lock(mutex_);
  if (!available_) return {.refusal = Refusal::kNoWorkers};
  if (!CanStartAtOnce(*run) && !queue_.HasRoomFor(*run)) {
    return {.refusal = Refusal::kQueueFull};
  }
  const uint64_t id = run->id;
  runs_[id] = run;
  WakeBefore(run->queue_deadline);
  queue_.PushBack(std::move(run));
  Dispatch();
  return {.run_id = id};
}

void WorkerPool::Cancel(uint64_t run_id) {
  Completions completed;
  {
    const Lock lock(mutex_);
    auto it = runs_.find(run_id);
    if (it == runs_.end()) return;
    Stop(std::shared_ptr<Run>(it->second), RunEnd::kCancelled, &completed);
  }
  for (Completion& c : completed) c.run->done(std::move(c.report));
}

PoolSnapshot WorkerPool::Snapshot() const {
  const SteadyTime now = Clock::now();
  PoolSnapshot snapshot;
  const Lock lock(mutex_);
  for (int slot = 0; slot < options_.slots; ++slot) {
    snapshot.workers.push_back({.slot = slot});
  }
  for (const auto& [key, link] : links_) {
    if (link.slot < 0 || link.slot >= options_.slots) continue;
    snapshot.workers[link.slot] = {.slot = link.slot,
                                   .state = PublicState(link.state),
                                   .start_time = link.start_time,
                                   .processes_run = link.processes_run};
    snapshot.warm_sandboxes += link.warm_sandboxes;
  }
  for (int level = 0; level < kPriorityLevels; ++level) {
    snapshot.queue_depth[level] = queue_.SizeOf(level);
  }
  snapshot.queue_capacity = queue_.capacity();
  snapshot.memory_budget_bytes = options_.memory_budget_bytes;
  snapshot.memory_admitted_bytes = admitted_bytes_;
  snapshot.queue_oldest_age =
      absl::FromChrono(now - queue_.OldestSubmission(now));
  return snapshot;
}

internal::v1::WorkerReady WorkerPool::Enforcement() const {
  const Lock lock(mutex_);
  return enforcement_;
}

bool WorkerPool::AllowsLayer(absl::string_view name) const {
  const Lock lock(mutex_);
  for (const v1::LayerEnforcement& layer : enforcement_.layers()) {
    if (layer.layer() == name) {
      return layer.state() != v1::ENFORCEMENT_STATE_NONE;
    }
  }
  return true;
}

void WorkerPool::Dispatch() {
  while (!queue_.empty() && !idle_.empty()) {
    const uint64_t key = idle_.front();
    idle_.pop_front();
    auto it = links_.find(key);
    if (it == links_.end() || it->second.state != WorkerLink::State::kIdle) {
      continue;
    }
    std::shared_ptr<Run> run = queue_.PopFitting(
        options_.memory_budget_bytes - admitted_bytes_, Clock::now());
    if (run == nullptr) {
      idle_.push_front(key);
      return;
    }
    if (!StartRun(&it->second, run)) queue_.PushFront(std::move(run));
  }
}

bool WorkerPool::CanStartAtOnce(const Run& run) const {
  return !idle_.empty() && queue_.empty() &&
         run.memory_share <= options_.memory_budget_bytes - admitted_bytes_;
}

bool WorkerPool::StartRun(WorkerLink* link, const std::shared_ptr<Run>& run) {
  if (!SendEncoded(link->channel.get(), run->message).ok()) {
    // Dead, or deaf. The pool's thread finds the channel at its end.
    link->state = WorkerLink::State::kBroken;
    shutdown(link->channel.get(), SHUT_RDWR);
    return false;
  }
  const SteadyTime now = Clock::now();
  if (!run->first_start) run->first_start = now;
  run->last_start = now;
  ++run->attempts;
  link->state = WorkerLink::State::kBusy;
  link->run = run;
  admitted_bytes_ += run->memory_share;
  link->run_started = false;
  link->hung_at = AddTo(now, options_.start_margin);
  WakeBefore(run->Deadline());
  return true;
}

// The run that `link` has no more, null if it had none; its memory is free.
std::shared_ptr<Run> WorkerPool::TakeRun(WorkerLink* link) {
  std::shared_ptr<Run> run = std::exchange(link->run, nullptr);
  if (run != nullptr) admitted_bytes_ -= run->memory_share;
  return run;
}

WorkerLink* WorkerPool::LinkOf(const Run* run) {
  for (auto& [key, link] : links_) {
    if (link.run.get() == run) return &link;
  }
  return nullptr;
}

void WorkerPool::Stop(const std::shared_ptr<Run>& run, RunEnd why,
                      Completions* completed) {
  if (run->stopped) return;
  run->stopped = why;
  if (queue_.Remove(run.get())) {
    Complete(run, why, {}, completed);
    Dispatch();  // it may have been what others waited behind
    return;
  }
  WorkerLink* link = LinkOf(run.get());
  if (link == nullptr) return;
  internal::v1::ServerMessage message;
  message.mutable_cancel()->set_run_id(run->id);
  if (!SendMessage(link->channel.get(), message).ok()) {
    shutdown(link->channel.get(), SHUT_RDWR);
  }
  link->hung_at = AddTo(Clock::now(), options_.cancel_margin);
}

void WorkerPool::Complete(const std::shared_ptr<Run>& run, RunEnd end,
                          v1::ProcessResult result, Completions* completed) {
  const SteadyTime now = Clock::now();
  RunReport report;
  report.end = end;
  report.result = std::move(result);
  report.wait_for_first_start =
      absl::FromChrono(run->first_start.value_or(now) - run->submitted);
  report.wait_for_last_start = absl::FromChrono(
      (run->attempts > 0 ? run->last_start : now) - run->submitted);
  runs_.erase(run->id);
  completed->push_back({run, std::move(report)});
}

void WorkerPool::Requeue(const std::shared_ptr<Run>& run,
                         Completions* completed) {
  if (run->stopped) {
    Complete(run, *run->stopped, {}, completed);
  } else if (run->attempts >= kMaxAttempts) {
    Complete(run, RunEnd::kLost, {}, completed);
  } else {
    // Its own deadline still holds while it waits again.
    queue_.PushFront(run);
  }
}

void WorkerPool::GiveUp(uint64_t key, WorkerLoss loss,
                        const std::string& reason, Completions* completed) {
  auto node = links_.extract(key);
  if (node.empty()) return;
  WorkerLink& link = node.mapped();
  // Also for one that is dead: the supervisor knows worker and incarnation,
  // and a closed channel does not prove that the process is gone.
  internal::v1::ServerControl control;
  internal::v1::ReplaceWorker* replace = control.mutable_replace_worker();
  replace->set_slot(link.slot);
  replace->set_incarnation(link.incarnation);
  replace->set_reason(reason);
  // If this fails the supervisor is gone, which the control socket tells.
  (void)SendMessage(control_, control);
  losses_.push_back({link.slot, loss, reason});
  admitted_bytes_ -= link.held_bytes;
  if (const auto run = TakeRun(&link)) Requeue(run, completed);
  if (!AnyReady() && !outage_since_) {
    outage_since_ = Clock::now();
    WakeBefore(AddTo(*outage_since_, options_.outage_patience));
  }
  Dispatch();
}

void WorkerPool::WakeBefore(SteadyTime deadline) {
  if (deadline >= next_wake_ && !stopping_) return;
  next_wake_ = deadline;
  const uint64_t one = 1;
  // Cannot fail but by EAGAIN, and then it is readable already: eventfd(2).
  (void)!write(wake_.get(), &one, sizeof(one));
}

bool WorkerPool::AnyReady() const {
  return std::any_of(links_.begin(), links_.end(), [](const auto& entry) {
    return entry.second.state == WorkerLink::State::kIdle ||
           entry.second.state == WorkerLink::State::kBusy;
  });
}

}  // namespace paddock
