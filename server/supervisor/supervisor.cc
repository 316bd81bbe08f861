#include "server/supervisor/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/supervisor/ready_report.h"
#include "worker/base/file_util.h"
#include "worker/wire/exit_status.h"

namespace paddock {
namespace {

// A start that takes longer hangs. Generous: under emulation all is 40 times
// slower.
constexpr absl::Duration kStartTimeout = absl::Minutes(2);
constexpr absl::Duration kStartWarning = absl::Seconds(10);
// Deaths in a row of one worker before anything was ready.
constexpr int kStartAttempts = 3;
// What the server may take beyond its own drain delay and grace.
constexpr absl::Duration kStopSlack = absl::Seconds(10);
constexpr absl::Duration kImmediateStop = absl::Seconds(5);
constexpr absl::Duration kReapTimeout = absl::Seconds(5);
constexpr absl::Duration kRemovalInterval = absl::Milliseconds(20);
constexpr absl::Duration kRemovalTimeout = absl::Seconds(10);

std::string Describe(int status) {
  if (WIFSIGNALED(status)) {
    return absl::StrCat("was killed by signal ", WTERMSIG(status), " (",
                        strsignal(WTERMSIG(status)), ")");
  }
  return absl::StrCat("ended with exit status ", WEXITSTATUS(status));
}

// Of the cgroups that worker makes: worker/main.cc.
std::string SandboxNamePrefix(int slot, int64_t incarnation) {
  return absl::StrCat("w", slot, "-", incarnation, "-");
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

}  // namespace

Supervisor::Supervisor(ServerProgram server, WorkerProgram workers,
                       CgroupInstance cgroups, UniqueFd signals,
                       UniqueFd ready_fd)
    : server_(std::move(server)),
      workers_(std::move(workers)),
      cgroups_(std::move(cgroups)),
      signals_(std::move(signals)),
      ready_fd_(std::move(ready_fd)) {}

int Supervisor::Run() {
  start_deadline_ = absl::Now() + kStartTimeout;
  next_start_warning_ = absl::Now() + kStartWarning;
  StartAll();
  while (state_ != State::kEnding || workers_.alive() > 0) {
    WaitForEvents();
    HandleSignals();
    HandleControl();  // before reaping: a last message of a server that ended
    ReapChildren();
    RunTimers();
  }
  return End();
}

// Workers first: so none is ever a child of a process that has used gRPC, and
// the server finds all of them waiting.
void Supervisor::StartAll() {
  workers_.StartDue(absl::Now(), nullptr);
  const absl::Status started = server_.Start();
  if (!started.ok()) return Fail(std::string(started.message()));
  workers_.Announce(server_.link());
}

void Supervisor::WaitForEvents() {
  pollfd fds[2] = {{signals_.get(), POLLIN, 0}, {-1, POLLIN, 0}};
  if (ServerLink* link = server_.link(); link != nullptr) {
    fds[1].fd = link->fd();
    if (link->wants_to_write()) fds[1].events |= POLLOUT;
  }
  const absl::Duration left =
      std::clamp(NextTimer() - absl::Now(), absl::ZeroDuration(),
                 absl::Duration(absl::Minutes(1)));
  // Rounded up: a timer that is not due yet must not become a busy loop.
  const int timeout = static_cast<int>(
      absl::ToInt64Milliseconds(left + absl::Microseconds(999)));
  if (poll(fds, 2, timeout) > 0 && (fds[1].revents & POLLOUT) != 0) {
    server_.link()->Flush().IgnoreError();  // a server that is gone is reaped
  }
}

void Supervisor::HandleSignals() {
  signalfd_siginfo info;
  while (read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    switch (info.ssi_signo) {
      case SIGHUP:
        spdlog::info(
            "SIGHUP has no effect: the configuration is read once, "
            "at start");
        break;
      case SIGTERM:
      case SIGINT:
        HandleStopSignal(static_cast<int>(info.ssi_signo));
        break;
      default:
        break;  // SIGCHLD: ReapChildren looks anyway
    }
  }
}

void Supervisor::HandleStopSignal(int number) {
  if (state_ == State::kEnding) return;
  if (state_ == State::kStopping) {
    spdlog::info("{} again: stopping at once", strsignal(number));
    return BeginStop(kImmediateStop);
  }
  spdlog::info("{}: stopping", strsignal(number));
  const config::v1::Shutdown& shutdown = server_.config().shutdown();
  BeginStop(ToDuration(shutdown.drain_delay()) + ToDuration(shutdown.grace()) +
            kStopSlack);
}

// The server takes a first SIGTERM as "finish what runs", a second as "now".
void Supervisor::BeginStop(absl::Duration patience) {
  sd_notify(0, "STOPPING=1");
  state_ = State::kStopping;
  stop_deadline_ = std::min(stop_deadline_, absl::Now() + patience);
  if (!server_.running()) return BeginEnd();
  server_.Signal(SIGTERM);
}

void Supervisor::Fail(const std::string& why) {
  spdlog::error("{}", why);
  exit_code_ = 1;
  BeginStop(kImmediateStop);
}

void Supervisor::BeginEnd() {
  state_ = State::kEnding;
  stop_deadline_ = absl::InfiniteFuture();
  workers_.KillAll();
}

void Supervisor::ReapChildren() {
  int status = 0;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid == server_.pid()) {
      HandleServerEnd(status);
    } else if (const auto end =
                   workers_.HandleEnd(pid, absl::Now(), server_.link());
               end.has_value()) {
      HandleWorkerEnd(*end, status);
    }  // else: an init whose worker is gone came to us
  }
}

void Supervisor::HandleWorkerEnd(const WorkerEnd& end, int status) {
  leftovers_.push_back({SandboxNamePrefix(end.slot, end.incarnation),
                        absl::Now() + kRemovalTimeout});
  next_removal_ = absl::InfinitePast();
  // A worker also ends by itself, and well, when the server closes its channel.
  const bool stopping = state_ == State::kStopping || state_ == State::kEnding;
  if (end.expected || (stopping && status == 0)) return;
  const bool refused =
      WIFEXITED(status) && WEXITSTATUS(status) == kExitHostRefuses;
  if (state_ == State::kStarting && refused) {
    return Fail(absl::StrCat("worker ", end.slot,
                             " cannot make sandboxes here, for the reason "
                             "above: giving up"));
  }
  if (stopping && refused) return;  // one was enough
  spdlog::warn("worker {} (incarnation {}) {}; the next one starts in {}",
               end.slot, end.incarnation, Describe(status),
               absl::FormatDuration(end.delay));
  if (state_ == State::kStarting && end.failures >= kStartAttempts) {
    Fail(absl::StrCat("worker ", end.slot, " died ", end.failures,
                      " times and none has become ready: giving up. What it "
                      "said stands above"));
  }
}

void Supervisor::HandleServerEnd(int status) {
  const absl::Time now = absl::Now();
  const absl::Duration delay = server_.HandleEnd(now);
  stop_deadline_ = absl::InfiniteFuture();
  switch (state_) {
    case State::kStarting:
      Fail(absl::StrCat("the server ", Describe(status),
                        " before it was ready: giving up. What it said stands "
                        "above"));
      break;
    case State::kRunning:
    case State::kRestarting:
      spdlog::error("the server {}; it and all workers start again in {}",
                    Describe(status), absl::FormatDuration(delay));
      state_ = State::kRestarting;
      restart_at_ = now + delay;
      workers_.KillAll();
      break;
    case State::kStopping:
    case State::kEnding:
      // One that had not yet begun to wait for SIGTERM just dies of it.
      if (status != 0 &&
          !(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)) {
        spdlog::error("the server, told to stop, {}", Describe(status));
        exit_code_ = 1;
      }
      BeginEnd();
      break;
  }
}

void Supervisor::HandleControl() {
  // A captured server that never stops talking must not keep us from signals,
  // dead children and timers.
  constexpr int kMessagesAtATime = 64;
  for (int i = 0; i < kMessagesAtATime && server_.link() != nullptr; ++i) {
    const auto control = server_.link()->Receive();
    if (!control.ok()) {
      const bool closed = absl::IsUnavailable(control.status());
      if (!closed) {
        spdlog::error("the server broke the protocol: {}",
                      std::string(control.status().message()));
      }
      // One that has closed its end is about to end by itself, and then its
      // exit status says why.
      LoseServer(closed ? kImmediateStop : absl::ZeroDuration());
      return;
    }
    if (!control->has_value()) return;
    HandleMessage(**control);
  }
}

void Supervisor::HandleMessage(const internal::v1::ServerControl& control) {
  if (control.has_ready()) {
    HandleReady(control.ready());
  } else if (control.has_worker_up()) {
    workers_.MarkUp(control.worker_up().slot(),
                    control.worker_up().incarnation());
  } else if (control.has_replace_worker()) {
    const internal::v1::ReplaceWorker& replace = control.replace_worker();
    // The server has logged why; the end of the worker is logged too.
    workers_.Replace(replace.slot(), replace.incarnation());
  }
}

// Without its link the server is of no use: it has to end within `patience`.
void Supervisor::LoseServer(absl::Duration patience) {
  server_.DropLink();
  stop_deadline_ = std::min(stop_deadline_, absl::Now() + patience);
}

void Supervisor::HandleReady(const internal::v1::ServerReady& ready) {
  const config::v1::Listen& listen = server_.config().listen();
  const std::string line = ReadyLine(listen, ready);
  if (state_ == State::kRunning) spdlog::info("{}, again", line);
  if (state_ != State::kStarting) return;
  state_ = State::kRunning;
  if (server_.config().log().format() == "json") {
    spdlog::info("{}", line);  // each line of such a log is JSON
  } else {
    puts(line.c_str());
    fflush(stdout);
  }
  sd_notify(0, "READY=1");
  if (ready_fd_.valid()) {
    const absl::Status told =
        WriteAll(ready_fd_.get(), absl::StrCat(ReadyJson(listen, ready), "\n"));
    if (!told.ok()) {
      spdlog::warn("--ready-fd: {}", std::string(told.message()));
    }
    ready_fd_.Reset();
  }
  server_.KeepPorts(ready);
}

void Supervisor::RunTimers() {
  const absl::Time now = absl::Now();
  if (state_ == State::kRestarting && now >= restart_at_ &&
      workers_.alive() == 0) {
    state_ = State::kRunning;
    restart_at_ = absl::InfiniteFuture();
    StartAll();
  }
  if (state_ == State::kStarting || state_ == State::kRunning) {
    workers_.StartDue(now, server_.link());
    ReportStartErrors();
  }
  CheckStart(now);
  if (now >= stop_deadline_) {
    spdlog::error("the server does not end by itself: it is killed");
    stop_deadline_ = absl::InfiniteFuture();
    server_.Signal(SIGKILL);
  }
  if (now >= next_removal_) RemoveLeftovers(now);
}

void Supervisor::ReportStartErrors() {
  for (const std::string& error : workers_.TakeStartErrors()) {
    // At the start it is the installation that is wrong; later it may be a
    // shortage that passes.
    if (state_ == State::kStarting) {
      Fail(error);
    } else {
      spdlog::error("{}", error);
    }
  }
}

void Supervisor::CheckStart(absl::Time now) {
  if (state_ != State::kStarting) return;
  if (now >= start_deadline_) {
    return Fail(absl::StrCat("the server has not become ready within ",
                             absl::FormatDuration(kStartTimeout),
                             ": giving up"));
  }
  if (now >= next_start_warning_) {
    next_start_warning_ = now + kStartWarning;
    spdlog::warn("the server is not ready yet: {} workers are alive",
                 workers_.alive());
  }
}

// What a dead worker's sandboxes hold ends with it, but not at once.
void Supervisor::RemoveLeftovers(absl::Time now) {
  auto gone = [&](const Leftover& leftover) {
    if (cgroups_.RemoveSandboxes(leftover.prefix)) return true;
    if (now < leftover.deadline) return false;
    spdlog::warn("cgroups {}* of a dead worker cannot be removed",
                 leftover.prefix);
    return true;
  };
  leftovers_.erase(std::remove_if(leftovers_.begin(), leftovers_.end(), gone),
                   leftovers_.end());
  next_removal_ =
      leftovers_.empty() ? absl::InfiniteFuture() : now + kRemovalInterval;
}

absl::Time Supervisor::NextTimer() const {
  absl::Time next = std::min(stop_deadline_, next_removal_);
  if (state_ == State::kStarting) {
    next = std::min({next, start_deadline_, next_start_warning_});
  }
  if (state_ == State::kStarting || state_ == State::kRunning) {
    next = std::min(next, workers_.NextStart());
  }
  // The end of the last worker is an event of its own.
  if (state_ == State::kRestarting && workers_.alive() == 0) {
    next = std::min(next, restart_at_);
  }
  return next;
}

void Supervisor::ReapUntilNoneIsLeft() {
  const absl::Time deadline = absl::Now() + kReapTimeout;
  while (absl::Now() < deadline) {
    const pid_t pid = waitpid(-1, nullptr, WNOHANG);
    if (pid < 0 && errno == ECHILD) return;
    if (pid == 0) absl::SleepFor(absl::Milliseconds(2));
  }
}

int Supervisor::End() {
  const absl::Status removed = cgroups_.Remove();  // kills what is left too
  ReapUntilNoneIsLeft();
  if (!removed.ok()) {
    spdlog::warn("removing cgroups: {}", std::string(removed.message()));
  }
  spdlog::info("stopped");
  return exit_code_;
}

}  // namespace paddock
