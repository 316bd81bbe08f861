// The part of WorkerPool that its own thread runs.
#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/scheduling/worker_pool.h"
#include "worker/base/status_macros.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kWakeKey = 0;
constexpr uint64_t kControlKey = 1;
constexpr int kMaxEvents = 64;
// Deadlines that need no precision (hung workers) are looked at this often.
constexpr absl::Duration kTick = absl::Seconds(1);

}  // namespace

void WorkerPool::Loop() {
  epoll_event events[kMaxEvents];
  for (;;) {
    const int timeout_ms = TimeoutMs();
    if (timeout_ms < 0) return;
    const int count = epoll_wait(epoll_.get(), events, kMaxEvents, timeout_ms);
    for (int i = 0; i < count; ++i) {
      const uint64_t key = events[i].data.u64;
      if (key == kWakeKey) {
        uint64_t ignored;
        (void)!read(wake_.get(), &ignored, sizeof(ignored));
      } else if (key == kControlKey) {
        ReceiveControl();
      } else {
        ReceiveWorker(key);
      }
    }
    KeepTime();
  }
}

int WorkerPool::TimeoutMs() {
  const Lock lock(mutex_);
  if (stopping_) return -1;
  const auto left = next_wake_ - Clock::now();
  if (left.count() <= 0) return 0;
  return static_cast<int>(
      std::chrono::ceil<std::chrono::milliseconds>(
          std::min<Clock::duration>(left, absl::ToChronoNanoseconds(kTick)))
          .count());
}

void WorkerPool::ReceiveControl() {
  internal::v1::SupervisorMessage message;
  std::vector<UniqueFd> descriptors;
  const absl::Status status =
      ReceiveMessage(control_, &message, &descriptors, /*dont_wait=*/true);
  if (absl::IsDeadlineExceeded(status)) return;
  if (status.ok() && message.has_worker_started() && descriptors.size() == 1) {
    AddWorker(message.worker_started(), std::move(descriptors[0]));
    return;
  }
  if (status.ok() && message.has_worker_exited() && descriptors.empty()) {
    RemoveWorker(message.worker_exited());
    return;
  }
  // At its end the socket stays readable: without this, for ever.
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, control_, nullptr);
  observer_->OnSupervisorGone(status.ok() ? "unknown message"
                                          : std::string(status.message()));
}

void WorkerPool::AddWorker(const internal::v1::WorkerStarted& started,
                           UniqueFd channel) {
  Completions completed;
  Lock lock(mutex_);
  for (const auto& [key, link] : links_) {
    if (link.slot != started.slot()) continue;
    GiveUp(key, WorkerLoss::kDied, "another worker took its slot", &completed);
    break;
  }
  const uint64_t key = next_key_++;
  epoll_event event = {.events = EPOLLIN, .data = {.u64 = key}};
  WorkerLink link;
  link.slot = started.slot();
  link.incarnation = started.incarnation();
  link.start_time = absl::Now();
  link.hung_at = AddTo(Clock::now(), options_.ready_margin);
  const bool watched =
      fcntl(channel.get(), F_SETFL, O_NONBLOCK) == 0 &&
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, channel.get(), &event) == 0;
  link.channel = std::move(channel);
  links_.emplace(key, std::move(link));
  if (!watched) {
    GiveUp(key, WorkerLoss::kDied, "its channel cannot be watched", &completed);
  }
  Deliver(std::move(lock), std::move(completed));
}

void WorkerPool::RemoveWorker(const internal::v1::WorkerExited& exited) {
  uint64_t key = 0;
  {
    const Lock lock(mutex_);
    for (const auto& [k, link] : links_) {
      if (link.slot == exited.slot() &&
          link.incarnation == exited.incarnation()) {
        key = k;
      }
    }
  }
  if (key == 0) return;  // its channel told us before
  ReceiveWorker(key);    // what it said before it died still counts
  Completions completed;
  Lock lock(mutex_);
  GiveUp(key, WorkerLoss::kDied, "exited", &completed);
  Deliver(std::move(lock), std::move(completed));
}

void WorkerPool::ReceiveWorker(uint64_t key) {
  int channel = -1;
  {
    const Lock lock(mutex_);
    auto it = links_.find(key);
    if (it == links_.end()) return;
    channel = it->second.channel.get();
  }
  // Only this thread closes channels: the descriptor stays ours meanwhile.
  while (ReceiveOne(key, channel)) {
  }
}

bool WorkerPool::ReceiveOne(uint64_t key, int channel) {
  internal::v1::WorkerMessage message;
  absl::Status status =
      ReceiveMessage(channel, &message, nullptr, /*dont_wait=*/true);
  if (absl::IsDeadlineExceeded(status)) return false;
  if (absl::IsUnavailable(status)) {
    // A peer that died with our request unread gives ECONNRESET once, before
    // the messages it left: unix(7).
    status = ReceiveMessage(channel, &message, nullptr, /*dont_wait=*/true);
  }
  if (status.ok()) {
    {
      const Lock lock(mutex_);
      const WorkerLink& link = links_.at(key);
      if (link.state == WorkerLink::State::kBroken) {
        status = absl::UnavailableError("broken");
      } else {
        status = CheckWorkerMessage(link, message);
      }
    }
    if (status.ok()) {
      TakeMessage(key, std::move(message));
      return true;
    }
  }
  Completions completed;
  Lock lock(mutex_);
  const WorkerLoss loss = absl::IsInvalidArgument(status)
                              ? WorkerLoss::kProtocolError
                              : WorkerLoss::kDied;
  GiveUp(key, loss, std::string(status.message()), &completed);
  Deliver(std::move(lock), std::move(completed));
  return false;
}

void WorkerPool::TakeMessage(uint64_t key,
                             internal::v1::WorkerMessage message) {
  if (message.has_stats()) observer_->OnWorkerStats(message.stats());
  if (message.has_ready()) observer_->OnWorkerReady(message.ready());
  Completions completed;
  Lock lock(mutex_);
  WorkerLink& link = links_.at(key);
  if (message.has_ready()) {
    TakeReady(key, std::move(*message.mutable_ready()));
  } else if (message.has_started()) {
    link.run_started = true;
    if (!link.run->stopped) {
      link.hung_at =
          AddTo(Clock::now(), link.run->wall_time + options_.hang_margin);
    }
  } else if (message.has_finished()) {
    TakeFinished(key, std::move(*message.mutable_finished()), &completed);
  } else if (message.has_memory_free()) {
    admitted_bytes_ -= std::exchange(link.held_bytes, 0);
    BecomeIdle(key);
    Dispatch();
  } else if (message.has_stats()) {
    link.warm_sandboxes = message.stats().warm_sandboxes();
  }
  Deliver(std::move(lock), std::move(completed));
}

void WorkerPool::TakeReady(uint64_t key, internal::v1::WorkerReady ready) {
  WorkerLink& link = links_.at(key);
  internal::v1::ServerControl control;
  control.mutable_worker_up()->set_slot(link.slot);
  control.mutable_worker_up()->set_incarnation(link.incarnation);
  // As in GiveUp, a failure means that the supervisor is gone.
  (void)SendMessage(control_, control);
  link.state = WorkerLink::State::kIdle;
  link.hung_at = SteadyTime::max();
  link.warm_sandboxes = 1;  // that is what ready means
  enforcement_ = std::move(ready);
  available_ = true;
  outage_since_.reset();
  idle_.push_back(key);
  Dispatch();
}

void WorkerPool::TakeFinished(uint64_t key, internal::v1::RunFinished finished,
                              Completions* completed) {
  WorkerLink& link = links_.at(key);
  // Its share is given to nobody before the worker says so.
  const int64_t held_bytes =
      finished.memory_held() ? link.run->memory_share : 0;
  const std::shared_ptr<Run> run = TakeRun(&link);
  ++link.processes_run;
  const v1::Outcome outcome = finished.result().outcome();
  const bool ours = outcome == v1::OUTCOME_INFRASTRUCTURE_ERROR;
  if (held_bytes > 0) {
    link.held_bytes = held_bytes;
    admitted_bytes_ += held_bytes;
    link.hung_at = AddTo(Clock::now(), options_.free_margin);
  } else {
    BecomeIdle(key);
  }
  if (ours && !run->stopped && run->attempts == 1) {
    queue_.PushFront(run);
  } else if (run->stopped && (ours || outcome == v1::OUTCOME_CANCELLED)) {
    Complete(run, *run->stopped, std::move(*finished.mutable_result()),
             completed);
  } else {
    Complete(run, RunEnd::kFinished, std::move(*finished.mutable_result()),
             completed);
  }
  Dispatch();
}

// At the end of the line: others get a run first if it goes back.
void WorkerPool::BecomeIdle(uint64_t key) {
  WorkerLink& link = links_.at(key);
  link.state = WorkerLink::State::kIdle;
  link.hung_at = SteadyTime::max();
  idle_.push_back(key);
}

void WorkerPool::KeepTime() {
  const SteadyTime now = Clock::now();
  Completions completed;
  Lock lock(mutex_);
  if (now < next_wake_) return;
  CheckRuns(now, &completed);
  CheckLinks(now, &completed);
  CheckOutage(now, &completed);
  next_wake_ = std::min(NextDeadline(), now + absl::ToChronoNanoseconds(kTick));
  Deliver(std::move(lock), std::move(completed));
}

void WorkerPool::CheckRuns(SteadyTime now, Completions* completed) {
  for (const std::shared_ptr<Run>& run : queue_.RemoveExpired(now)) {
    Complete(run, run->first_start ? RunEnd::kTimeout : RunEnd::kQueueTimeout,
             {}, completed);
  }
  Dispatch();  // what is gone may have been what others waited behind
  for (auto& [key, link] : links_) {
    if (link.run != nullptr && link.run->Deadline() <= now) {
      Stop(link.run, RunEnd::kTimeout, completed);
    }
  }
}

void WorkerPool::CheckLinks(SteadyTime now, Completions* completed) {
  std::vector<uint64_t> hung;
  for (const auto& [key, link] : links_) {
    if (link.hung_at <= now) hung.push_back(key);
  }
  for (const uint64_t key : hung) {
    const bool starting = links_.at(key).state == WorkerLink::State::kStarting;
    GiveUp(key, WorkerLoss::kHung,
           starting ? "is not ready in time" : "does not end its run in time",
           completed);
  }
}

void WorkerPool::CheckOutage(SteadyTime now, Completions* completed) {
  if (!outage_since_ || AddTo(*outage_since_, options_.outage_patience) > now) {
    return;
  }
  available_ = false;
  outage_since_.reset();
  for (const std::shared_ptr<Run>& run : queue_.RemoveAll()) {
    Complete(run, run->first_start ? RunEnd::kLost : RunEnd::kNoWorkers, {},
             completed);
  }
}

SteadyTime WorkerPool::NextDeadline() const {
  SteadyTime next = queue_.NextDeadline();
  for (const auto& [key, link] : links_) {
    next = std::min(next, link.hung_at);
    if (link.run != nullptr && !link.run->stopped) {
      next = std::min(next, link.run->Deadline());
    }
  }
  if (outage_since_) {
    next = std::min(next, AddTo(*outage_since_, options_.outage_patience));
  }
  return next;
}

void WorkerPool::Deliver(Lock lock, Completions completed) {
  const std::vector<Loss> losses = std::exchange(losses_, {});
  const bool available = available_;
  const bool changed = available != reported_available_;
  reported_available_ = available;
  lock.unlock();
  for (Completion& c : completed) c.run->done(std::move(c.report));
  for (const Loss& loss : losses) {
    observer_->OnWorkerLost(loss.slot, loss.loss, loss.reason);
  }
  if (changed) observer_->OnAvailable(available);
}

}  // namespace paddock
