#include "tests/support/worker_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/supervisor/cgroup_layout.h"
#include "tests/support/own_cgroup.h"
#include "tests/support/time_scale.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"
#include "worker/base/status_macros.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);

internal::v1::WorkerLaunch MakeLaunch(const internal::v1::CgroupLayout& cgroups,
                                      int slot) {
  internal::v1::WorkerLaunch launch;
  launch.set_slot(slot);
  launch.set_incarnation(1);
  *launch.mutable_cgroups() = cgroups;
  launch.mutable_config()->mutable_workers()->set_warm_sandboxes(1);
  config::v1::Sandbox* sandbox = launch.mutable_config()->mutable_sandbox();
  launch.mutable_ids()->set_first(0x10000000 + slot * (64 << 20));
  launch.mutable_ids()->set_count(64 << 20);
  launch.mutable_ids()->set_per_sandbox(65536);
  launch.mutable_ids()->set_init(0x10000000 - 65536 + slot);
  sandbox->set_tmp_bytes(64 << 20);
  sandbox->set_tmp_inodes(1024);
  sandbox->set_shm_bytes(64 << 20);
  sandbox->set_shm_inodes(1024);
  sandbox->set_default_image("host");
  config::v1::Image* image = sandbox->add_images();
  image->set_name("host");
  image->mutable_host();
  *launch.mutable_config()->mutable_requests()->mutable_max_limits() =
      WorkerProcess::MaxLimits();
  launch.mutable_config()->mutable_requests()->set_inline_budget_bytes(64
                                                                       << 20);
  return launch;
}

void ExecWorker(int launch_fd, int channel_fd, pid_t parent) {
  fcntl(launch_fd, F_SETFD, 0);
  fcntl(channel_fd, F_SETFD, 0);
  const std::string launch = absl::StrCat("--launch-fd=", launch_fd);
  const std::string channel = absl::StrCat("--channel-fd=", channel_fd);
  const std::string pid = absl::StrCat("--parent-pid=", parent);
  execl(PADDOCK_WORKER_BINARY, "paddock-worker", launch.c_str(),
        channel.c_str(), pid.c_str(), nullptr);
  _exit(127);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerProcess::Start(
    const SandboxesLimits& limits) {
  RETURN_IF_ERROR(EnterOwnCgroup());
  std::unique_ptr<WorkerProcess> worker(new WorkerProcess);
  ASSIGN_OR_RETURN(const std::vector<CgroupHierarchy> hierarchies,
                   FindOwnCgroupHierarchies(""));
  SweepReport report;
  ASSIGN_OR_RETURN(CgroupInstance cgroups,
                   CgroupInstance::Create(hierarchies, &report, limits));
  worker->cgroups_ = std::make_shared<CgroupInstance>(std::move(cgroups));
  RETURN_IF_ERROR(worker->Spawn());
  RETURN_IF_ERROR(worker->WaitReady());
  return worker;
}

absl::StatusOr<std::unique_ptr<WorkerProcess>> WorkerProcess::StartBeside() {
  std::unique_ptr<WorkerProcess> worker(new WorkerProcess);
  worker->cgroups_ = cgroups_;
  worker->is_beside_ = true;
  RETURN_IF_ERROR(worker->Spawn());
  RETURN_IF_ERROR(worker->WaitReady());
  return worker;
}

absl::Status WorkerProcess::WaitReady() {
  ASSIGN_OR_RETURN(const internal::v1::WorkerMessage message, Receive());
  if (!message.has_ready()) return absl::InternalError("not ready first");
  ready_ = message.ready();
  return absl::OkStatus();
}

absl::Status WorkerProcess::Spawn() {
  ASSIGN_OR_RETURN(SocketPair channel, MakeSocketPair());
  ASSIGN_OR_RETURN(
      UniqueFd launch,
      SealedMemfd(
          "launch",
          MakeLaunch(cgroups_->layout(), is_beside_).SerializeAsString()));
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) return ErrnoStatus(errno, "fork");
  if (pid_ == 0) ExecWorker(launch.get(), channel.second.get(), parent);
  channel_ = std::move(channel.first);
  return absl::OkStatus();
}

WorkerProcess::~WorkerProcess() {
  channel_.Reset();
  if (pid_ > 0 && !reaped_) {
    if (!WaitForEnd().ok()) kill(pid_, SIGKILL);
  }
  if (cgroups_ != nullptr && !is_beside_) {
    cgroups_->RemoveSandboxes("");
    cgroups_->Remove().IgnoreError();
  }
}

v1::Limits WorkerProcess::MaxLimits() {
  v1::Limits limits;
  limits.mutable_cpu_time()->set_seconds(10);
  limits.mutable_wall_time()->set_seconds(30);
  limits.mutable_idle_time()->set_seconds(30);
  limits.set_memory_bytes(int64_t{1} << 30);
  limits.set_processes(64);
  limits.set_open_files(64);
  limits.set_file_size_bytes(64 << 20);
  limits.set_workspace_bytes(64 << 20);
  limits.set_workspace_inodes(1024);
  limits.set_stack_bytes(8 << 20);
  limits.set_output_bytes(1 << 20);
  limits.set_cpus(1);
  return limits;
}

v1::Process WorkerProcess::NewProcess(const std::vector<std::string>& argv) {
  v1::Process process;
  process.mutable_argv()->Assign(argv.begin(), argv.end());
  process.set_image("host");
  process.set_profile("default");
  (*process.mutable_env())["PATH"] = "/usr/bin:/bin";
  *process.mutable_limits() = MaxLimits();
  process.mutable_limits()->clear_idle_time();
  return process;
}

absl::StatusOr<uint64_t> WorkerProcess::Send(const v1::Process& process) {
  internal::v1::ServerMessage message;
  message.mutable_run()->set_run_id(next_run_);
  *message.mutable_run()->mutable_process() = process;
  RETURN_IF_ERROR(SendMessage(channel_.get(), message));
  return next_run_++;
}

absl::StatusOr<internal::v1::WorkerMessage> WorkerProcess::Receive() {
  for (;;) {
    internal::v1::WorkerMessage message;
    RETURN_IF_ERROR(ReceiveMessage(channel_.get(), &message));
    if (!message.has_stats()) return message;
    setup_failures_ += message.stats().setup_failures_size();
  }
}

absl::StatusOr<v1::ProcessResult> WorkerProcess::Run(
    const v1::Process& process) {
  ASSIGN_OR_RETURN(const uint64_t run_id, Send(process));
  for (;;) {
    ASSIGN_OR_RETURN(const internal::v1::WorkerMessage message, Receive());
    if (!message.has_finished()) continue;
    if (message.finished().run_id() != run_id) {
      return absl::InternalError("the result of another run");
    }
    RETURN_IF_ERROR(WaitMemoryFree(message));
    return message.finished().result();
  }
}

absl::Status WorkerProcess::WaitMemoryFree(
    const internal::v1::WorkerMessage& finished) {
  if (!finished.finished().memory_held()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const internal::v1::WorkerMessage message, Receive());
  if (message.has_memory_free()) return absl::OkStatus();
  return absl::InternalError("another message than MemoryFree");
}

absl::StatusOr<int> WorkerProcess::WaitForEnd() {
  const absl::Time give_up = absl::Now() + Scaled(kPatience);
  int status = 0;
  while (absl::Now() < give_up) {
    const pid_t pid = waitpid(pid_, &status, WNOHANG);
    if (pid == pid_) {
      reaped_ = true;
      return status;
    }
    usleep(1000);
  }
  return absl::DeadlineExceededError("the worker does not end");
}

std::vector<std::string> WorkerProcess::LivingGroups() const {
  std::vector<std::string> directories = {layout().unified_directory()};
  for (const auto& hierarchy : layout().v1()) {
    directories.push_back(hierarchy.directory());
  }
  std::vector<std::string> groups;
  for (const std::string& directory : directories) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      if (entry.is_directory()) groups.push_back(entry.path());
    }
  }
  return groups;
}

}  // namespace paddock
