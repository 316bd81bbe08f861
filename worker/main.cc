// paddock-worker: builds sandboxes and runs programs in them. Started by the
// supervisor only; README.md in this folder is its theory of operation.
#include <fcntl.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "paddock/internal/v1/launch.pb.h"
#include "worker/base/epoll_watches.h"
#include "worker/base/file_util.h"
#include "worker/base/socket_memory.h"
#include "worker/base/status_macros.h"
#include "worker/init/landlock.h"
#include "worker/log.h"
#include "worker/policy/seccomp_policy.h"
#include "worker/policy/system_calls.h"
#include "worker/profiles.h"
#include "worker/sandbox/clone_probe.h"
#include "worker/sandbox/privileges.h"
#include "worker/sandbox/record_locks.h"
#include "worker/sandbox/refusal.h"
#include "worker/sandbox/socket_watch.h"
#include "worker/sandbox/worker_tree.h"
#include "worker/wire/cpu_list.h"
#include "worker/wire/exit_status.h"
#include "worker/worker_loop.h"

namespace paddock {
namespace {

constexpr size_t kMaxLaunchBytes = 4 << 20;

struct Flags {
  int launch_fd = -1;
  int channel_fd = -1;
  int parent_pid = 0;
};

bool ParseFlags(int argc, char** argv, Flags* flags) {
  for (int i = 1; i < argc; ++i) {
    absl::string_view arg = argv[i];
    int* value =
        absl::ConsumePrefix(&arg, "--launch-fd=")    ? &flags->launch_fd
        : absl::ConsumePrefix(&arg, "--channel-fd=") ? &flags->channel_fd
        : absl::ConsumePrefix(&arg, "--parent-pid=") ? &flags->parent_pid
                                                     : nullptr;
    if (value == nullptr || !absl::SimpleAtoi(arg, value)) return false;
  }
  return flags->launch_fd > 2 && flags->channel_fd > 2 && flags->parent_pid > 0;
}

// The supervisor set the same before exec; its death in between is seen here.
absl::Status DieWithParent(int parent_pid) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    return ErrnoStatus(errno, "prctl(PR_SET_PDEATHSIG)");
  }
  if (getppid() != parent_pid) {
    return absl::UnavailableError("the supervisor is gone");
  }
  return absl::OkStatus();
}

// Programs inherit it: one that is negative would spare them when their memory
// is used up. Written with CAP_SYS_RESOURCE nothing can be lower after, so also
// where it changes nothing; the supervisor made sure that this is enough.
absl::Status GiveUpOomScore() {
  constexpr char kFile[] = "/proc/self/oom_score_adj";
  ASSIGN_OR_RETURN(const std::string text, ReadFileAt(AT_FDCWD, kFile));
  int adjustment = 0;
  if (!absl::SimpleAtoi(text, &adjustment)) {
    return absl::InternalError(absl::StrCat(kFile, " holds '", text, "'"));
  }
  return WriteControlAt(AT_FDCWD, kFile, absl::StrCat(std::max(0, adjustment)));
}

absl::StatusOr<internal::v1::WorkerLaunch> ReadLaunch(UniqueFd fd) {
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadSealedMemfd(fd.get(), kMaxLaunchBytes));
  internal::v1::WorkerLaunch launch;
  if (!launch.ParseFromString(bytes)) {
    return absl::InvalidArgumentError("malformed launch message");
  }
  return launch;
}

// The worker goes into the groups whose limits are the same for all sandboxes;
// init and programs are born there. By `tasks`: it has one thread, and
// cgroup.procs waits for an RCU grace period.
absl::StatusOr<SecondLines> EnterSecondLines(
    const internal::v1::CgroupLayout& layout) {
  SecondLines lines = {.huge_pages = layout.huge_pages_forbidden()};
  for (const auto& hierarchy : layout.v1()) {
    const bool devices = hierarchy.controller() == "devices";
    if (!devices && hierarchy.controller() != "hugetlb") continue;
    RETURN_IF_ERROR(WriteControlAt(
        AT_FDCWD, absl::StrCat(hierarchy.directory(), "/tasks"), "0"));
    lines.devices = lines.devices || devices;
  }
  return lines;
}

absl::StatusOr<std::unique_ptr<CgroupFactory>> OpenLayout(
    const internal::v1::WorkerLaunch& launch, const std::string& name_prefix) {
  const internal::v1::CgroupLayout& layout = launch.cgroups();
  absl::StatusOr<UniqueFd> unified =
      layout.unified_mounted()
          ? OpenAt(AT_FDCWD, layout.unified_directory(), O_RDONLY | O_DIRECTORY)
          : OpenUnmountedCgroup2(layout.unified_directory());
  RETURN_IF_ERROR(unified.status());
  std::vector<CgroupV1Directory> v1;
  for (const auto& hierarchy : layout.v1()) {
    v1.push_back({hierarchy.controller(), hierarchy.directory()});
  }
  CgroupOptions options;
  ASSIGN_OR_RETURN(options.clone_into,
                   ChildClonedIntoCgroupLives(
                       unified->get(), absl::StrCat(name_prefix, "-probe")));
  const auto& degrade = launch.config().cgroup().degrade();
  ASSIGN_OR_RETURN(const std::vector<int> cpus,
                   ParseCpuList(launch.config().sandbox().cpuset()));
  options.cpuset_size = static_cast<int>(cpus.size());
  options.degrade_cpus =
      std::find(degrade.begin(), degrade.end(), "cpus") != degrade.end();
  return OpenCgroups(*std::move(unified),
                     {layout.unified_controllers().begin(),
                      layout.unified_controllers().end()},
                     v1, options);
}

// As sched_setaffinity(2) takes it.
absl::StatusOr<std::vector<unsigned long>> CpuMask(const std::string& cpuset) {
  ASSIGN_OR_RETURN(const std::vector<int> cpus, ParseCpuList(cpuset));
  constexpr int kBits = 8 * sizeof(unsigned long);
  std::vector<unsigned long> mask;
  if (!cpus.empty()) mask.resize(cpus.back() / kBits + 1);
  for (const int cpu : cpus) mask[cpu / kBits] |= 1UL << cpu % kBits;
  return mask;
}

std::vector<ImageSource> Images(const config::v1::Sandbox& sandbox) {
  std::vector<ImageSource> images;
  for (const config::v1::Image& image : sandbox.images()) {
    images.push_back({image.name(), image.directory()});
  }
  return images;
}

// Programs get no loopback interface otherwise.
bool HoldsSocketsToLimits(const CgroupFactory& cgroups) {
  absl::Status status = CheckSocketMemoryIsTold();
  if (status.ok() && cgroups.mechanisms().sockets.empty()) {
    status = absl::FailedPreconditionError(absl::StrCat(
        "no ", kSocketMemoryLimitFile, " in the memory controller"));
  }
  if (!status.ok()) {
    spdlog::warn("no job can have a loopback interface: {}",
                 std::string(status.message()));
  }
  return status.ok();
}

// In this order: what sockets may take is told in the host's network namespace
// only; cgroup directories and images need the host's tree; building the tree
// needs the capabilities that are cut last.
absl::StatusOr<SandboxFactory> SetUp(const internal::v1::WorkerLaunch& launch,
                                     const Confinement& confinement) {
  const config::v1::Sandbox& sandbox = launch.config().sandbox();
  SandboxFactory factory;
  factory.confinement = confinement;
  Weakenings weakenings;
  ASSIGN_OR_RETURN(factory.profiles, MakeProfiles(sandbox, &weakenings));
  factory.architecture = NativeArchitecture();
  ASSIGN_OR_RETURN(const std::vector<sock_filter> own_filter,
                   CompileWorkerFilter(weakenings));
  const int workers = std::max(1, launch.config().workers().count());
  factory.socket_share = ShareOfSockets(workers);
  factory.most_locks = RecordLockLimit::Share(workers);
  factory.epoll_watches = ReadEpollWatches(AT_FDCWD).value_or(-1);
  RETURN_IF_ERROR(EnterPrivateNamespaces());
  ASSIGN_OR_RETURN(factory.sysctl, OpenSysctl());
  ASSIGN_OR_RETURN(factory.second_lines, EnterSecondLines(launch.cgroups()));
  for (const v1::LayerEnforcement& row : launch.cgroups().sandboxes_layers()) {
    factory.sandboxes_layers.emplace_back(row.layer(), row.mechanism());
  }
  ASSIGN_OR_RETURN(factory.cpu_mask, CpuMask(sandbox.cpuset()));
  factory.name_prefix =
      absl::StrCat("w", launch.slot(), "-", launch.incarnation());
  ASSIGN_OR_RETURN(factory.cgroups, OpenLayout(launch, factory.name_prefix));
  factory.loopback = HoldsSocketsToLimits(*factory.cgroups);
  RETURN_IF_ERROR(BuildWorkerTree(Images(sandbox)));
  RETURN_IF_ERROR(
      CutWorkerPrivileges(own_filter, launch.ids().per_sandbox() == 0));
  const internal::v1::SlotIds& ids = launch.ids();
  factory.ids = IdRanges(ids.first(), ids.count(), ids.per_sandbox());
  factory.init_id = ids.init();
  factory.nested = ids.nested();
  if (factory.nested && factory.sysctl.valid()) {
    ASSIGN_OR_RETURN(factory.inotify,
                     ShareInotify(factory.sysctl.get(), workers));
  }
  factory.landlock_abi = init::LandlockAbi();
  factory.tmp_options = absl::StrCat("mode=1777,size=", sandbox.tmp_bytes(),
                                     ",nr_inodes=", sandbox.tmp_inodes());
  factory.shm_options = absl::StrCat("mode=1777,size=", sandbox.shm_bytes(),
                                     ",nr_inodes=", sandbox.shm_inodes());
  return factory;
}

void LogFailure(const absl::Status& status) {
  spdlog::error("worker: {}", std::string(status.message()));
}

// The channel is still open: at its end the server would have us killed, and
// nobody learn of the exit status.
[[noreturn]] void EndRefused(const absl::Status& status) {
  LogFailure(status);
  _exit(kExitHostRefuses);
}

// Returns the exit status.
absl::StatusOr<int> RunWorker(const Flags& flags) {
  UniqueFd launch_fd(flags.launch_fd);
  UniqueFd channel(flags.channel_fd);
  RETURN_IF_ERROR(DieWithParent(flags.parent_pid));
  umask(022);
  RETURN_IF_ERROR(GiveUpOomScore());
  ASSIGN_OR_RETURN(const internal::v1::WorkerLaunch launch,
                   ReadLaunch(std::move(launch_fd)));
  SetUpWorkerLog(launch.config().log());
  const Confinement confinement = ReadConfinement();
  absl::StatusOr<SandboxFactory> factory = SetUp(launch, confinement);
  if (!factory.ok()) {
    const absl::Status explained =
        ExplainRefusal(factory.status(), init::SetupStep::kNone, confinement);
    if (IsRefusal(explained)) EndRefused(explained);
    return explained;
  }
  WorkerLoop loop(std::move(channel), launch.config(), *std::move(factory));
  const absl::Status ended = loop.Run();
  if (IsRefusal(ended)) EndRefused(ended);
  if (ended.ok()) return EXIT_SUCCESS;
  LogFailure(ended);  // as above, as long as we can
  return EXIT_FAILURE;
}

}  // namespace
}  // namespace paddock

int main(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_logger_st("worker"));
  paddock::Flags flags;
  if (!paddock::ParseFlags(argc, argv, &flags)) {
    spdlog::error("paddock-worker is started by paddockd, not by hand");
    return 2;
  }
  const absl::StatusOr<int> exit_status = paddock::RunWorker(flags);
  if (exit_status.ok()) return *exit_status;
  paddock::LogFailure(exit_status.status());
  return EXIT_FAILURE;
}
