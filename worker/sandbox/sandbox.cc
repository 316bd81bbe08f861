#include "worker/sandbox/sandbox.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"
#include "worker/init/init.h"
#include "worker/sandbox/report_reader.h"
#include "worker/sandbox/running_program.h"
#include "worker/sandbox/worker_tree.h"

namespace paddock {
namespace {

using init::Report;
using init::ReportKind;
using init::SetupStep;

// Far beyond what a build takes on the slowest host; it only bounds a hang.
constexpr absl::Duration kBuildTimeout = absl::Seconds(30);

constexpr uint64_t kInitNamespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                     CLONE_NEWIPC | CLONE_NEWUTS |
                                     CLONE_NEWTIME;

// SECCOMP_IOCTL_NOTIF_SET_FLAGS and SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, of
// Linux 6.6: we answer on the CPU of whom the filter asks about, which takes a
// third of the time. An older kernel refuses and loses nothing.
constexpr unsigned long kSetNotificationFlags = SECCOMP_IOW(4, uint64_t);
constexpr unsigned long kSyncWakeUp = 1;

// pid directories only, and only one's own: nothing in it needs masking.
constexpr char kProcOptions[] = "hidepid=2,subset=pid";
// For a profile that asks for it; init masks most of what is more.
constexpr char kFullProcOptions[] = "hidepid=2";

// One report; fails with the step where the sender said that one failed.
absl::StatusOr<ReceivedReport> ReceiveStep(int socket, SetupStep* failed_step) {
  ASSIGN_OR_RETURN(ReceivedReport received, ReceiveReport(socket));
  const Report& report = received.report;
  if (report.kind == ReportKind::kSetupFailure) {
    *failed_step = report.step;
    return ErrnoStatus(report.error, absl::StrCat("sandbox set-up step ",
                                                  SetupStepName(report.step)));
  }
  return received;
}

}  // namespace

int64_t DeadSandbox::HeldBytes() const {
  return workspace_.UsedBytes() +
         (cgroup_ == nullptr ? 0 : cgroup_->MemoryInUse());
}

std::unique_ptr<SandboxCgroup> DeadSandbox::TakeDown(
    SandboxFactory* factory) && {
  plan_.Reset();
  listener_.Reset();
  socket_diag_.Reset();
  if (init_pidfd_.valid()) {
    syscall(SYS_pidfd_send_signal, init_pidfd_.get(), SIGKILL, nullptr, 0);
    status_.Reset();
    siginfo_t info;
    while (waitid(P_PIDFD, init_pidfd_.get(), &info, WEXITED) != 0 &&
           errno == EINTR) {
    }
  }
  workspace_ = Workspace();
  factory->ids.Release(ids_);
  return std::move(cgroup_);
}

absl::StatusOr<WarmSandbox> WarmSandbox::Build(SandboxFactory* factory,
                                               const SandboxKind& kind,
                                               SetupStep* failed_step) {
  WarmSandbox sandbox;
  sandbox.kind_ = kind;
  *failed_step = SetupStep::kCreateCgroup;
  ASSIGN_OR_RETURN(
      sandbox.parts_.cgroup_,
      factory->cgroups->Create(
          absl::StrCat(factory->name_prefix, "-", factory->sequence++),
          kind.loopback));
  sandbox.parts_.ids_ = factory->ids.Take();
  sandbox.parts_.architecture_ = factory->architecture;
  sandbox.parts_.socket_share_ = factory->socket_share;
  sandbox.parts_.most_locks_ = factory->most_locks;
  *failed_step = SetupStep::kCloneInit;
  absl::Status status = sandbox.Clone(factory);
  if (status.ok()) {
    *failed_step = SetupStep::kWaitReady;
    status = sandbox.WaitReady(failed_step);
  }
  if (status.ok() && kind.loopback) {
    *failed_step = SetupStep::kWatchSockets;
    // Here, where it can fail; and the kernel loads what it needs for it.
    status = ReadSocketMemory(sandbox.parts_.socket_diag_.get()).status();
  }
  sandbox.parts_.cgroup_->CloseJoinFiles();
  if (!status.ok()) {
    std::move(sandbox).Discard().TakeDown(factory)->Remove().IgnoreError();
    return status;
  }
  *failed_step = SetupStep::kNone;
  return sandbox;
}

absl::Status WarmSandbox::Clone(SandboxFactory* factory) {
  ASSIGN_OR_RETURN(SocketPair status, MakeSocketPair());
  ASSIGN_OR_RETURN(SocketPair plan, MakeSocketPair());
  ASSIGN_OR_RETURN(PipeEnds out, MakePipe());
  ASSIGN_OR_RETURN(PipeEnds err, MakePipe());
  // The worker learns the program's pid, as it sees it, from its first message.
  const int on = 1;
  if (setsockopt(plan.first.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) !=
      0) {
    return ErrnoStatus(errno, "setsockopt(SO_PASSCRED)");
  }
  const uint32_t owner = parts_.ids_.program;
  // A pipe has an owner and mode 0600: /dev/stdout is opened by its own.
  for (const PipeEnds* pipe : {&out, &err}) {
    if (fchown(pipe->writer.get(), owner, owner) != 0) {
      return ErrnoStatus(errno, "fchown of a pipe");
    }
  }
  const std::string image_tree = ImageTreePath(kind_.image);
  // The size is set for good when the request is known.
  const std::string workspace_options = absl::StrCat(
      "size=4096,nr_inodes=16,mode=0755,uid=", owner, ",gid=", owner);
  const auto profile = factory->profiles.find(kind_.profile);
  if (profile == factory->profiles.end()) {
    return absl::InternalError("a sandbox of an unknown profile");
  }
  const std::vector<sock_filter>& filter =
      profile->second.filters[kind_.loopback];

  init::SetupPlan setup = {};
  setup.image_tree = image_tree.c_str();
  setup.new_root = kNewRoot;
  setup.full_proc = profile->second.full_proc;
  setup.proc_options = setup.full_proc ? kFullProcOptions : kProcOptions;
  setup.tmp_options = factory->tmp_options.c_str();
  setup.shm_options = factory->shm_options.c_str();
  setup.workspace_options = workspace_options.c_str();
  setup.loopback = kind_.loopback;
  setup.init_uid = factory->init_id;
  setup.program_uid = kProgramId;
  setup.program_gid = kProgramId;
  setup.program_host_id = owner;
  setup.drop_groups = factory->ids.per_sandbox() > 0;
  setup.lock_mounts = factory->nested;
  setup.landlock_abi = factory->landlock_abi;
  setup.filter = filter.data();
  setup.filter_length = static_cast<uint16_t>(filter.size());
  setup.sysctl_fd = factory->sysctl.get();
  setup.inotify_instances = factory->inotify.instances.c_str();
  setup.inotify_watches = factory->inotify.watches.c_str();
  setup.cgroup_fd = parts_.cgroup_->clone_fd();
  for (const int fd : parts_.cgroup_->join_fds()) {
    if (setup.join_count == init::kMaxJoinFiles) {
      return absl::InternalError("too many cgroup hierarchies");
    }
    setup.join_fds[setup.join_count++] = fd;
  }
  setup.cpu_mask = factory->cpu_mask.data();
  setup.cpu_mask_bytes = static_cast<uint32_t>(factory->cpu_mask.size() *
                                               sizeof(factory->cpu_mask[0]));
  setup.status_fd = status.second.get();
  setup.plan_fd = plan.second.get();
  setup.stdout_fd = out.writer.get();
  setup.stderr_fd = err.writer.get();

  int pidfd = -1;
  clone_args args = {};
  args.flags = kInitNamespaces | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const pid_t pid =
      static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof(args)));
  if (pid < 0) return ErrnoStatus(errno, "clone3 of init");
  if (pid == 0) init::RunSandboxInit(setup);

  parts_.init_pid_ = pid;
  parts_.init_pidfd_.Reset(pidfd);
  parts_.status_ = std::move(status.first);
  parts_.plan_ = std::move(plan.first);
  stdout_ = std::move(out.reader);
  stderr_ = std::move(err.reader);
  return absl::OkStatus();
}

absl::Status WarmSandbox::WaitReady(SetupStep* failed_step) {
  const absl::Time give_up = absl::Now() + kBuildTimeout;
  bool program_silent = false;  // and gone
  while (!init_ready_ || !parts_.listener_.valid()) {
    pollfd fds[2] = {{parts_.status_.get(), POLLIN, 0},
                     {program_silent ? -1 : parts_.plan_.get(), POLLIN, 0}};
    const int64_t left = absl::ToInt64Milliseconds(give_up - absl::Now());
    if (left <= 0) {
      return absl::DeadlineExceededError("the sandbox did not become ready");
    }
    if (poll(fds, 2, static_cast<int>(left)) < 0 && errno != EINTR) {
      return ErrnoStatus(errno, "poll");
    }
    // The program's own word first: init's may only be that the program ended.
    // No word at all: then init tells, or its own end.
    if (fds[1].revents != 0) {
      const absl::Status said = OnPlanReport(failed_step);
      program_silent = absl::IsUnavailable(said);
      if (!program_silent) RETURN_IF_ERROR(said);
    }
    if (fds[0].revents != 0) RETURN_IF_ERROR(OnStatusReport(failed_step));
  }
  const int off = 0;
  if (setsockopt(parts_.plan_.get(), SOL_SOCKET, SO_PASSCRED, &off,
                 sizeof(off)) != 0) {
    return ErrnoStatus(errno, "setsockopt(SO_PASSCRED)");
  }
  return absl::OkStatus();
}

absl::Status WarmSandbox::OnStatusReport(SetupStep* failed_step) {
  ASSIGN_OR_RETURN(ReceivedReport received,
                   ReceiveStep(parts_.status_.get(), failed_step));
  std::vector<UniqueFd>& descriptors = received.descriptors;
  switch (received.report.kind) {
    case ReportKind::kDirectories:
      if (descriptors.size() != (kind_.loopback ? 4 : 3)) break;
      parts_.workspace_ =
          Workspace(std::move(descriptors[0]), std::move(descriptors[1]),
                    std::move(descriptors[2]));
      if (kind_.loopback) parts_.socket_diag_ = std::move(descriptors[3]);
      return absl::OkStatus();
    case ReportKind::kInitReady:
      init_ready_ = true;
      return absl::OkStatus();
    case ReportKind::kProgramEnded:
      return absl::InternalError(absl::StrCat(
          "the program process ended while it was set up, wait status ",
          received.report.status));
    default:
      break;
  }
  return absl::InternalError("init broke the protocol");
}

absl::Status WarmSandbox::OnPlanReport(SetupStep* failed_step) {
  ASSIGN_OR_RETURN(ReceivedReport received,
                   ReceiveStep(parts_.plan_.get(), failed_step));
  const ReportKind kind = received.report.kind;
  if (kind == ReportKind::kNeedIdMaps && received.sender_pid > 0) {
    absl::Status status = WriteIdMaps(received.sender_pid);
    if (!status.ok()) *failed_step = SetupStep::kWriteIdMaps;
    return status;
  }
  if (kind == ReportKind::kProgramReady && received.descriptors.size() == 1) {
    parts_.listener_ = std::move(received.descriptors[0]);
    ioctl(parts_.listener_.get(), kSetNotificationFlags, kSyncWakeUp);
    return absl::OkStatus();
  }
  return absl::InternalError("the program process broke the protocol");
}

absl::Status WarmSandbox::WriteIdMaps(pid_t program) {
  const std::string proc = absl::StrCat("/proc/", program);
  RETURN_IF_ERROR(WriteControlAt(AT_FDCWD, absl::StrCat(proc, "/uid_map"),
                                 parts_.ids_.map));
  RETURN_IF_ERROR(WriteControlAt(AT_FDCWD, absl::StrCat(proc, "/gid_map"),
                                 parts_.ids_.map));
  return SendPacket(parts_.plan_.get(),
                    absl::string_view(&init::kIdMapsWritten, 1));
}

void WarmSandbox::Expect(const ProgramLimits& limits) {
  // What fails here fails again, and is told, if a request wants it.
  parts_.workspace_.SetBounds(limits, {}).IgnoreError();
  parts_.cgroup_->SetLimits(limits).IgnoreError();
}

RunningProgram WarmSandbox::Start(const RunSpec& spec) && {
  return RunningProgram(std::move(parts_), std::move(stdout_),
                        std::move(stderr_), spec);
}

DeadSandbox WarmSandbox::Discard() && { return std::move(parts_); }

}  // namespace paddock
