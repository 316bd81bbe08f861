#include "worker/sandbox/running_program.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "worker/base/file_util.h"
#include "worker/base/monotonic_clock.h"
#include "worker/base/socket.h"
#include "worker/base/status_macros.h"
#include "worker/init/plan.h"
#include "worker/sandbox/cgroup_files.h"
#include "worker/sandbox/program_plan.h"
#include "worker/sandbox/report_reader.h"

namespace paddock {
namespace {

using init::Report;
using init::ReportKind;
using init::SetupStep;

// Bounds a kernel that does not let go; never met in a normal run.
constexpr absl::Duration kDeathTimeout = absl::Seconds(30);
// Between an OOM event of the group and the kill that follows, at most; and how
// often it is looked for.
constexpr absl::Duration kOomKillTime = absl::Seconds(1);
constexpr absl::Duration kOomKillLook = absl::Milliseconds(1);
// What a chore may take, and how long the program is left alone after one. A
// sandbox with thousands of files takes 50 ms to take down.
constexpr absl::Duration kChoreTime = absl::Milliseconds(60);
constexpr absl::Duration kChoreInterval = absl::Milliseconds(20);
// For so long into a run it is put off where a limit is too near for it.
constexpr absl::Duration kLongestChoreDelay = absl::Milliseconds(300);

int64_t RoomFor(const CaptureSpec& capture, const RunSpec& spec) {
  return capture.discard ? 0 : spec.response_bytes;
}

}  // namespace

RunningProgram::RunningProgram(DeadSandbox parts, UniqueFd out, UniqueFd err,
                               const RunSpec& spec)
    : spec_(spec),
      parts_(std::move(parts)),
      out_(std::move(out), spec.limits.output_bytes,
           RoomFor(spec.stdout_capture, spec)),
      err_(std::move(err), spec.limits.output_bytes,
           RoomFor(spec.stderr_capture, spec)),
      clock_(spec.limits, CpusOnline()),
      sockets_(parts_.socket_diag_.get(), parts_.cgroup_.get(),
               spec.limits.memory_bytes, parts_.socket_share_),
      locks_(parts_.cgroup_.get(), parts_.architecture_, parts_.most_locks_) {
  const absl::Time begin = MonotonicNow();
  start_ = begin;
  if (absl::Status status = Prepare(); !status.ok()) {
    Fail(SetupStep::kNone, status);
  } else if (report_.input_problems.empty()) {
    started_ = true;
  } else {
    report_.reason = EndReason::kInputError;
  }
  report_.prepare = start_ - begin;
}

void RunningProgram::Fail(SetupStep step, const absl::Status& status) {
  report_.reason = EndReason::kSandboxFailed;
  report_.failed_step = step;
  report_.message = std::string(status.message());
}

absl::Status RunningProgram::Prepare() {
  const uint32_t owner = parts_.ids_.program;
  RETURN_IF_ERROR(parts_.workspace_.SetBounds(spec_.limits, spec_.inputs));
  report_.input_problems = parts_.workspace_.WriteInputs(spec_.inputs, owner);
  if (!report_.input_problems.empty()) return absl::OkStatus();
  if (spec_.limits.workspace_bytes == 0) {
    RETURN_IF_ERROR(parts_.workspace_.MakeWorkReadOnly());
  }
  RETURN_IF_ERROR(parts_.cgroup_->SetLimits(spec_.limits));
  ASSIGN_OR_RETURN(cpu_before_, parts_.cgroup_->CpuTime());
  return SendPlan();
}

absl::Status RunningProgram::SendPlan() {
  ASSIGN_OR_RETURN(std::string plan, EncodeProgramPlan(spec_));
  const absl::Cleanup wipe = [&plan] {
    explicit_bzero(plan.data(), plan.size());
  };
  UniqueFd input;
  std::vector<int> descriptors;
  if (spec_.stdin_data.has_value()) {
    ASSIGN_OR_RETURN(input, SealedMemfd("stdin", *spec_.stdin_data));
    descriptors.push_back(input.get());
  }
  start_ = MonotonicNow();
  return SendPacket(parts_.plan_.get(), plan, descriptors);
}

RunReport RunningProgram::Wait(const Surroundings& surroundings) {
  if (started_) {
    WatchUntilEnded(surroundings);
    HearTheRest();
  }
  FinishGroup();
  if (started_) {
    Decide();
    Collect();
  }
  report_.collect = MonotonicNow() - end_;
  return std::move(report_);
}

bool RunningProgram::Ended() const {
  return report_.wait_status.has_value() || init_gone_ ||
         report_.failed_step != SetupStep::kNone;
}

// Infinite where there is none, or a limit could be passed meanwhile: one that
// is always near must not keep what is dead for as long as the program sleeps.
absl::Duration RunningProgram::UntilNextChore(absl::Duration now) const {
  const absl::Duration begin =
      std::max(now, next_chore_) + kChoreTime < clock_.NextLook()
          ? next_chore_
          : std::max(next_chore_, kLongestChoreDelay);
  return std::max(absl::ZeroDuration(), begin - now);
}

void RunningProgram::WatchUntilEnded(const Surroundings& surroundings) {
  while (!Ended()) {
    const absl::Duration now = MonotonicNow() - start_;
    if (now < oom_kill_until_) LookForOomKill();
    if (killed_.has_value()) {
      if (MonotonicNow() - killed_at_ > kDeathTimeout) return;
    } else if (now >= clock_.NextLook()) {
      LookAtClock();
      continue;
    } else if (now >= sockets_.NextLook()) {
      LookAtSockets();
      continue;
    } else if (UntilNextChore(now) == absl::ZeroDuration()) {
      next_chore_ = surroundings.do_chore && surroundings.do_chore()
                        ? MonotonicNow() - start_ + kChoreInterval
                        : absl::InfiniteDuration();
      continue;
    }
    const absl::Duration deaf_until = locks_.DeafUntil() - start_;
    pollfd fds[] = {
        {parts_.status_.get(), POLLIN, 0},
        {parts_.plan_.get(), POLLIN, 0},
        {out_.fd(), POLLIN, 0},
        {err_.fd(), POLLIN, 0},
        {now < deaf_until ? -1 : parts_.listener_.get(), POLLIN, 0},
        {killed_ ? -1 : parts_.cgroup_->oom_event_fd(), POLLIN, 0},
        {killed_ ? -1 : surroundings.cancel_fd, POLLIN, 0},
    };
    absl::Duration wait =
        std::min({clock_.NextLook() - now, sockets_.NextLook() - now,
                  UntilNextChore(now)});
    if (now < oom_kill_until_) wait = std::min(wait, kOomKillLook);
    if (now < deaf_until) wait = std::min(wait, deaf_until - now);
    if (killed_.has_value()) wait = absl::Seconds(1);
    const timespec timeout = absl::ToTimespec(wait);
    if (ppoll(fds, std::size(fds), &timeout, nullptr) <= 0) continue;
    if (fds[1].revents != 0) OnPlanSocket();
    if (fds[0].revents != 0) OnStatus();
    if (fds[2].revents != 0) out_.ReadSome();
    if (fds[3].revents != 0) err_.ReadSome();
    if (fds[4].revents != 0) OnListener(fds[4].revents);
    if (fds[5].revents != 0) OnOomEvent();
    if (fds[6].revents != 0 && surroundings.cancelled()) {
      Kill(EndReason::kCancelled);
    }
    if ((spec_.stdout_capture.kill_on_overflow && out_.overflowed()) ||
        (spec_.stderr_capture.kill_on_overflow && err_.overflowed())) {
      Kill(EndReason::kOutput);
    }
  }
}

void RunningProgram::OnStatus() {
  const absl::StatusOr<ReceivedReport> received =
      ReceiveReport(parts_.status_.get());
  if (!received.ok() || received->report.kind != ReportKind::kProgramEnded) {
    init_gone_ = true;
    return;
  }
  const Report& report = received->report;
  // When init saw it, which may be before we look: a chore takes its time.
  end_ = std::clamp(absl::UnixEpoch() + absl::Nanoseconds(report.end_nanos),
                    start_, MonotonicNow());
  report_.wait_status = report.status;
  report_.usage.voluntary_switches = report.voluntary_switches;
  report_.usage.involuntary_switches = report.involuntary_switches;
  report_.usage.minor_faults = report.minor_faults;
  report_.usage.major_faults = report.major_faults;
  report_.usage.waited_read_bytes = report.io_read_bytes;
  report_.usage.waited_write_bytes = report.io_write_bytes;
}

// End of file: the program was exec'ed, or died. A report: it could not be.
void RunningProgram::OnPlanSocket() {
  const absl::StatusOr<ReceivedReport> received =
      ReceiveReport(parts_.plan_.get());
  parts_.plan_.Reset();
  if (!received.ok() && !absl::IsInvalidArgument(received.status())) return;
  if (!received.ok() || received->report.kind != ReportKind::kSetupFailure) {
    Fail(SetupStep::kNone,
         absl::InternalError("the program process broke the protocol"));
    Kill(EndReason::kSandboxFailed);
    return;
  }
  const Report& report = received->report;
  const std::string what =
      absl::StrCat(SetupStepName(report.step), ": ", strerror(report.error));
  if (report.step == SetupStep::kExec ||
      report.step == SetupStep::kChangeDirectory) {
    report_.exec_problem = {report.step == SetupStep::kExec
                                ? spec_.argv[0]
                                : spec_.working_directory,
                            ExecFaultOf(report.error), report.error, what};
    report_.failed_step = report.step;
    return;
  }
  Fail(report.step, absl::InternalError(what));
}

void RunningProgram::OnListener(int events) {
  if ((events & POLLIN) == 0) {
    // Only POLLHUP: no task is left that the filter holds. Receiving would
    // block for ever where the kernel does not wake it for that (Linux 6.1).
    parts_.listener_.Reset();
    return;
  }
  seccomp_notif request = {};
  if (ioctl(parts_.listener_.get(), SECCOMP_IOCTL_NOTIF_RECV, &request) == 0) {
    if (locks_.Concerns(request.data)) {
      // After its end the rest of it is killed, and waits until then.
      if (!Ended()) Answer(request.id, locks_.Judge(request.data, request.pid));
      return;
    }
    report_.violation = {request.data.nr, request.data.arch};
    Kill(EndReason::kViolation);
  } else if (errno != EINTR && errno != ENOENT) {
    parts_.listener_.Reset();
  }
}

// While no lock was heard, a violation may have come behind it.
void RunningProgram::HearTheRest() {
  for (int64_t left = spec_.limits.processes; left >= 0 && !killed_; --left) {
    pollfd fd = {parts_.listener_.get(), POLLIN, 0};
    if (poll(&fd, 1, 0) <= 0 || (fd.revents & POLLIN) == 0) return;
    OnListener(fd.revents);
  }
}

// Carried out where `error` is 0: what the filter asked about is in registers,
// which the program cannot change meanwhile.
void RunningProgram::Answer(uint64_t id, int error) {
  seccomp_notif_resp response = {};
  response.id = id;
  response.error = -error;
  if (error == 0) response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  // Fails if the caller is gone, or was interrupted and will ask again.
  ioctl(parts_.listener_.get(), SECCOMP_IOCTL_NOTIF_SEND, &response);
}

// When a group above has no memory left, every group below it is told, before
// the kernel has chosen one: the group's own count of kills says whom it was.
void RunningProgram::OnOomEvent() {
  uint64_t events = 0;
  if (read(parts_.cgroup_->oom_event_fd(), &events, sizeof(events)) ==
      sizeof(events)) {
    oom_kill_until_ = MonotonicNow() - start_ + kOomKillTime;
  }
}

// The kernel kills one process; the rest of the group is ours.
void RunningProgram::LookForOomKill() {
  if (!parts_.cgroup_->OomKilled()) return;
  oom_kill_until_ = absl::ZeroDuration();
  if (parts_.cgroup_->MemoryLimitMet()) Kill(EndReason::kMemory);
}

void RunningProgram::LookAtClock() {
  const absl::StatusOr<absl::Duration> cpu = parts_.cgroup_->CpuTime();
  if (!cpu.ok()) {
    Fail(SetupStep::kNone, cpu.status());
    Kill(EndReason::kSandboxFailed);
    return;
  }
  const std::optional<EndReason> exceeded =
      clock_.Look(MonotonicNow() - start_, *cpu - cpu_before_);
  if (exceeded.has_value()) Kill(*exceeded);
}

void RunningProgram::LookAtSockets() {
  const absl::StatusOr<bool> passed = sockets_.Look(MonotonicNow() - start_);
  if (!passed.ok()) {
    Fail(SetupStep::kNone, passed.status());
    Kill(EndReason::kSandboxFailed);
  } else if (*passed) {
    if (!killed_.has_value()) report_.message = sockets_.ShareExceeded();
    Kill(EndReason::kMemory);
  }
}

void RunningProgram::Kill(EndReason reason) {
  if (killed_.has_value()) return;
  killed_ = reason;
  killed_at_ = MonotonicNow();
  parts_.cgroup_->KillAll().IgnoreError();  // FinishGroup tries again and asks
}

// Nothing of the program runs any more when this returns.
void RunningProgram::FinishGroup() {
  if (end_ == absl::Time()) end_ = MonotonicNow();
  absl::Status status = parts_.cgroup_->KillAll();
  if (status.ok()) status = parts_.cgroup_->WaitEmpty(kDeathTimeout);
  if (!status.ok()) {
    started_ = false;
    Fail(SetupStep::kNone, status);
    return;
  }
  if (!started_) return;
  out_.ReadRest();
  err_.ReadRest();
  UsageFigures& usage = report_.usage;
  parts_.cgroup_->ReadFigures(&usage);
  if (usage.peak_memory_bytes.has_value()) {
    usage.peak_memory_bytes =
        std::max(*usage.peak_memory_bytes, sockets_.peak_bytes());
  }
  usage.left_bytes =
      parts_.cgroup_->MemoryInUse() - usage.file_memory_bytes.value_or(0);
  if (usage.cpu_time.has_value()) {
    usage.cpu_time =
        std::max(absl::ZeroDuration(), *usage.cpu_time - cpu_before_);
    // The split is sampled, the sum is exact; and what the program process used
    // before its plan was all in the kernel.
    if (usage.user_time.has_value() && usage.system_time.has_value()) {
      usage.user_time = std::min(*usage.user_time, *usage.cpu_time);
      usage.system_time = *usage.cpu_time - *usage.user_time;
    }
  }
  usage.wall_time = end_ - start_;
}

// A look at the clock that came late kills a program that had ended before.
bool RunningProgram::EndedInTime() const {
  return (killed_ == EndReason::kWallTime || killed_ == EndReason::kIdleTime) &&
         report_.wait_status.has_value() && end_ < killed_at_;
}

// The kernel's own facts first: whatever the program's exit status says.
void RunningProgram::Decide() {
  const UsageFigures& usage = report_.usage;
  if (report_.exec_problem.fault != FileFault::kNone) {
    report_.reason = EndReason::kExecFailed;
    report_.failed_step = SetupStep::kNone;
    report_.wait_status.reset();
  } else if (usage.oom_kills.value_or(0) > 0) {
    if (parts_.cgroup_->MemoryLimitMet()) {
      report_.reason = EndReason::kMemory;
    } else {
      Fail(SetupStep::kNone,
           absl::ResourceExhaustedError(
               "the kernel killed it below its own limit, because all "
               "sandboxes together, or the host, had no memory left"));
    }
  } else if (report_.failed_step != SetupStep::kNone) {
    report_.reason = EndReason::kSandboxFailed;
  } else if (killed_.has_value() && !EndedInTime()) {
    report_.reason = *killed_;
  } else if (usage.cpu_time.value_or(absl::ZeroDuration()) >=
             spec_.limits.cpu_time) {
    report_.reason = EndReason::kCpuTime;  // ended before we looked again
  } else if (usage.wall_time >= spec_.limits.wall_time) {
    report_.reason = EndReason::kWallTime;
  } else if (report_.wait_status.has_value()) {
    report_.reason = EndReason::kExited;
  } else {
    Fail(SetupStep::kNone,
         absl::InternalError("init ended without a status, and nothing says "
                             "why"));
  }
}

void RunningProgram::Collect() {
  parts_.workspace_.CheckFull(&report_.workspace_bytes_full,
                              &report_.workspace_inodes_full);
  if (spec_.limits.workspace_bytes == 0) report_.workspace_bytes_full = false;
  // As the server will share the room out: ShapeResult.
  report_.outputs = parts_.workspace_.CollectOutputs(
      spec_.outputs,
      std::max<int64_t>(
          0, spec_.response_bytes - out_.kept_bytes() - err_.kept_bytes()));
  report_.stdout_capture = out_.Take();
  report_.stderr_capture = err_.Take();
}

}  // namespace paddock
