#include "worker/worker_loop.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "worker/base/monotonic_clock.h"
#include "worker/base/status_macros.h"
#include "worker/convert.h"
#include "worker/enforcement.h"
#include "worker/sandbox/cgroup_files.h"
#include "worker/sandbox/refusal.h"
#include "worker/sandbox/running_program.h"
#include "worker/wire/channel.h"
#include "worker/wire/process_check.h"

namespace paddock {
namespace {

// Without a bound a load without gaps lets dead sandboxes pile up.
constexpr size_t kMostDead = 8;
// Nor let what they hold: kIdleSandboxesBytes of sandboxes_limits.h has room
// for twice that.
constexpr int64_t kMostDeadBytes = DeadSandbox::kMuch;
// A host on which no sandbox can be built any more needs a new worker, or an
// operator.
constexpr int kMostBuildFailures = 5;
// How often what the kernel frees late is looked at where there is time.
constexpr absl::Duration kLateInterval = absl::Milliseconds(50);
// Where there is never an idle moment, what piled up is told all the same.
constexpr int kMostUntoldTeardowns = 64;

void AddElapsed(absl::Time begin, google::protobuf::Duration* duration) {
  const int64_t nanos = absl::ToInt64Nanoseconds(absl::Now() - begin);
  duration->set_seconds(nanos / 1'000'000'000);
  duration->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

// What is left behind is the supervisor's to sweep.
void WarnOfRest(const absl::Status& status) {
  if (status.ok()) return;
  spdlog::warn("a sandbox could not be taken down wholly: {}",
               std::string(status.message()));
}

}  // namespace

WorkerLoop::WorkerLoop(UniqueFd channel, const config::v1::Config& config,
                       SandboxFactory factory)
    : channel_(std::move(channel)),
      config_(config),
      factory_(std::move(factory)) {
  expected_.image = config.sandbox().default_image();
  expected_.profile = kDefaultProfile;
  cpus_degraded_ = factory_.cgroups->mechanisms().cpus_degraded;
}

absl::Status WorkerLoop::Run() {
  // A server that does not read must not make us wait while a program runs. An
  // honest one never has more than a few messages before it.
  if (fcntl(channel_.get(), F_SETFL, O_NONBLOCK) != 0) {
    return ErrnoStatus(errno, "fcntl(O_NONBLOCK)");
  }
  while (warm_.empty()) RETURN_IF_ERROR(BuildWarm());
  RETURN_IF_ERROR(SendReady());
  absl::Status status = Serve();
  // Failures that end a worker are those to hear of most. If nobody hears it
  // any more, that changes nothing.
  if (!status.ok()) SendStats().IgnoreError();
  return status;
}

absl::Status WorkerLoop::Serve() {
  while (!channel_closed_) {
    LookAtLateMemory();
    // A sandbox that is ready goes first; dead ones wait, but not too many.
    if (!TooMuchIsDead() && ChannelReadable(absl::ZeroDuration())) {
      RETURN_IF_ERROR(HandleMessage());
      if (stats_.stats().teardowns_size() >= kMostUntoldTeardowns) {
        RETURN_IF_ERROR(SendStats());
      }
      continue;
    }
    ASSIGN_OR_RETURN(const bool worked, DoIdleWork());
    if (worked) continue;
    RETURN_IF_ERROR(SendStats());
    if (TooMuchIsDead()) {
      AwaitLateMemory();
    } else if (ChannelReadable(late_.empty() ? absl::InfiniteDuration()
                                             : kLateInterval)) {
      RETURN_IF_ERROR(HandleMessage());
    }
  }
  while (!dead_.empty()) TearDownOne();
  while (!warm_.empty()) {
    Bury(std::move(warm_.front()).Discard());
    warm_.pop_front();
    TearDownOne();
  }
  late_.RemoveAll().IgnoreError();
  return protocol_error_;
}

absl::Status WorkerLoop::SendReady() {
  internal::v1::WorkerMessage message;
  FillEnforcement(factory_, message.mutable_ready());
  for (uint32_t step = 1; step <= static_cast<uint32_t>(init::SetupStep::kLast);
       ++step) {
    message.mutable_ready()->add_setup_steps(
        SetupStepName(static_cast<init::SetupStep>(step)));
  }
  return SendMessage(channel_.get(), message);
}

bool WorkerLoop::ChannelReadable(absl::Duration timeout) const {
  pollfd fd = {channel_.get(), POLLIN, 0};
  const int ms = timeout == absl::InfiniteDuration()
                     ? -1
                     : static_cast<int>(absl::ToInt64Milliseconds(timeout));
  return poll(&fd, 1, ms) > 0;
}

// What a request needs comes before what the host wants back, unless that has
// piled up.
absl::StatusOr<bool> WorkerLoop::DoIdleWork() {
  const size_t wanted = std::max(1, config_.workers().warm_sandboxes());
  if ((dead_.empty() || !TooMuchIsDead()) && warm_.size() < wanted) {
    RETURN_IF_ERROR(BuildWarm());
    return true;
  }
  if (dead_.empty()) return false;
  TearDownOne();
  return true;
}

absl::Status WorkerLoop::BuildWarm() {
  init::SetupStep step;
  const absl::Time begin = absl::Now();
  absl::StatusOr<WarmSandbox> sandbox =
      WarmSandbox::Build(&factory_, expected_, &step);
  stats_changed_ = true;
  if (sandbox.ok()) {
    build_failures_in_a_row_ = 0;
    first_build_ = false;
    if (expected_limits_) sandbox->Expect(*expected_limits_);
    warm_.push_back(*std::move(sandbox));
    AddElapsed(begin, stats_.mutable_stats()->add_setups());
    return absl::OkStatus();
  }
  CountSetupFailure(step);
  if (first_build_) {
    const absl::Status explained =
        ExplainRefusal(sandbox.status(), step, factory_.confinement);
    if (IsRefusal(explained)) return explained;
  }
  spdlog::warn("a sandbox could not be built: {}",
               std::string(sandbox.status().message()));
  if (++build_failures_in_a_row_ < kMostBuildFailures) return absl::OkStatus();
  return sandbox.status();
}

void WorkerLoop::CountSetupFailure(init::SetupStep step) {
  internal::v1::SetupFailureCount* failure =
      stats_.mutable_stats()->add_setup_failures();
  failure->set_step(SetupStepName(step));
  failure->set_count(1);
  stats_changed_ = true;
}

bool WorkerLoop::TooMuchIsDead() const {
  return dead_.size() >= kMostDead ||
         dead_bytes_ + late_.bytes() > kMostDeadBytes;
}

void WorkerLoop::Bury(DeadSandbox sandbox) {
  const int64_t held_bytes = sandbox.HeldBytes();
  dead_bytes_ += held_bytes;
  dead_.push_back({std::move(sandbox), held_bytes});
}

void WorkerLoop::TearDownOne() {
  const absl::Time begin = absl::Now();
  dead_bytes_ -= dead_.front().held_bytes;
  std::unique_ptr<SandboxCgroup> group =
      std::move(dead_.front().sandbox).TakeDown(&factory_);
  dead_.pop_front();
  WarnOfRest(late_.Add(std::move(group), MonotonicNow()));
  AddElapsed(begin, stats_.mutable_stats()->add_teardowns());
  stats_changed_ = true;
}

void WorkerLoop::LookAtLateMemory() { WarnOfRest(late_.Look(MonotonicNow())); }

void WorkerLoop::AwaitLateMemory() {
  pollfd end = {channel_.get(), 0, 0};
  constexpr int kMoment = 2;  // milliseconds
  if (poll(&end, 1, kMoment) > 0) channel_closed_ = true;
  late_.Reclaim(MonotonicNow());
  LookAtLateMemory();
}

absl::Status WorkerLoop::SendStats() {
  if (!stats_changed_) return absl::OkStatus();
  stats_.mutable_stats()->set_warm_sandboxes(warm_.size());
  absl::Status status = SendMessage(channel_.get(), stats_);
  stats_.Clear();
  stats_changed_ = false;
  return status;
}

absl::Status WorkerLoop::HandleMessage() {
  internal::v1::ServerMessage message;
  absl::Status status = ReceiveMessage(channel_.get(), &message);
  if (absl::IsUnavailable(status)) {
    channel_closed_ = true;
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(status);
  switch (message.message_case()) {
    case internal::v1::ServerMessage::kRun:
      return HandleRun(message.mutable_run());
    case internal::v1::ServerMessage::kCancel:
      return absl::OkStatus();  // of a run that has ended: no error
    case internal::v1::ServerMessage::MESSAGE_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError("the server broke the protocol");
}

absl::StatusOr<WarmSandbox> WorkerLoop::TakeWarm(const SandboxKind& kind) {
  expected_ = kind;
  for (int attempt = 0; attempt < kMostBuildFailures; ++attempt) {
    if (warm_.empty()) RETURN_IF_ERROR(BuildWarm());
    if (warm_.empty()) continue;
    WarmSandbox sandbox = std::move(warm_.front());
    warm_.pop_front();
    stats_changed_ = true;
    if (sandbox.kind() == kind) return sandbox;
    Bury(std::move(sandbox).Discard());
  }
  return absl::InternalError("no sandbox can be built");
}

absl::Status WorkerLoop::HandleRun(internal::v1::RunRequest* request) {
  if (request->run_id() == 0) {
    return absl::InvalidArgumentError("the server broke the protocol: run 0");
  }
  const absl::Time begin = absl::Now();
  ASSIGN_OR_RETURN(RunSpec spec, ToRunSpec(request->process(),
                                           config_.requests().max_limits()));
  const absl::Cleanup wipe = [&] {
    WipeEnvironment(request->mutable_process(), &spec);
  };
  spec.response_bytes = config_.requests().inline_budget_bytes();
  // Nothing holds the program to it, so it must not lengthen the watch's sleep.
  if (cpus_degraded_) spec.limits.cpus = CpusOnline();
  bool known = false;
  for (const config::v1::Image& image : config_.sandbox().images()) {
    known = known || image.name() == spec.kind.image;
  }
  if (!known) return absl::InvalidArgumentError("unknown image");
  if (!factory_.profiles.contains(spec.kind.profile)) {
    return absl::InvalidArgumentError("unknown profile");
  }

  ASSIGN_OR_RETURN(WarmSandbox sandbox, TakeWarm(spec.kind));
  expected_limits_ = spec.limits;
  const absl::Duration waited = absl::Now() - begin;
  RunningProgram program = std::move(sandbox).Start(spec);
  if (program.started()) {
    internal::v1::WorkerMessage message;
    message.mutable_started()->set_run_id(request->run_id());
    RETURN_IF_ERROR(SendMessage(channel_.get(), message));
  }
  RunReport report = program.Wait(
      {.cancel_fd = channel_.get(),
       .cancelled = [this,
                     id = request->run_id()] { return CancelledDuringRun(id); },
       // The host does not wait for what earlier programs held until this one,
       // however long it runs, is done.
       .do_chore =
           [this] {
             if (dead_.empty()) {
               LookAtLateMemory();
             } else {
               TearDownOne();
             }
             return !dead_.empty() || !late_.empty();
           }});
  report.prepare += waited;
  // The server gives its memory to another program once we say that it is free:
  // so much of it has to be by then that what is left fits beside.
  LookAtLateMemory();
  const bool memory_held =
      report.usage.left_bytes + dead_bytes_ + late_.bytes() > kMostDeadBytes;
  absl::Status sent;
  if (!channel_closed_) {  // else nobody waits for the result
    if (report.reason == EndReason::kSandboxFailed) {
      if (report.failed_step != init::SetupStep::kNone) {
        CountSetupFailure(report.failed_step);
      }
      spdlog::error("run {}: {}", request->run_id(), report.message);
    }
    sent = SendFinished(request->run_id(),
                        ToProcessResult(spec, std::move(report)), memory_held);
    // The kernel likes to wake a socket's reader on the sender's CPU, where it
    // would wait for the burial below.
    sched_yield();
  }
  // Which the answer need not wait for.
  Bury(std::move(program).TakeParts());
  if (!memory_held || !sent.ok() || channel_closed_) return sent;
  while (TooMuchIsDead() && !channel_closed_) {
    if (dead_.empty()) {
      AwaitLateMemory();
    } else {
      TearDownOne();
    }
  }
  if (channel_closed_) return absl::OkStatus();
  internal::v1::WorkerMessage free;
  free.mutable_memory_free();
  channel_closed_ = !SendMessage(channel_.get(), free).ok();
  return absl::OkStatus();
}

absl::Status WorkerLoop::SendFinished(uint64_t run_id, v1::ProcessResult result,
                                      bool memory_held) {
  internal::v1::WorkerMessage message;
  message.mutable_finished()->set_memory_held(memory_held);
  message.mutable_finished()->set_run_id(run_id);
  *message.mutable_finished()->mutable_result() = std::move(result);
  return SendMessage(channel_.get(), message);
}

bool WorkerLoop::CancelledDuringRun(uint64_t run_id) {
  internal::v1::ServerMessage message;
  const absl::Status status = ReceiveMessage(channel_.get(), &message, nullptr,
                                             /*dont_wait=*/true);
  if (absl::IsDeadlineExceeded(status)) return false;
  if (status.ok() && message.has_cancel()) {
    return message.cancel().run_id() == run_id;
  }
  // Closed, or something that has no place here: either way this is the end.
  channel_closed_ = true;
  if (status.ok()) {
    protocol_error_ = absl::InvalidArgumentError(
        "the server broke the protocol: nothing but a cancel may come while a "
        "program runs");
  } else if (!absl::IsUnavailable(status)) {
    protocol_error_ = status;
  }
  return true;
}

}  // namespace paddock
