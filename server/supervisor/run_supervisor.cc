#include "server/supervisor/run_supervisor.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/config/profiles.h"
#include "server/supervisor/cgroup_instance.h"
#include "server/supervisor/cgroup_layout.h"
#include "server/supervisor/cgroup_mount.h"
#include "server/supervisor/host_ids.h"
#include "server/supervisor/oom_score.h"
#include "server/supervisor/privileges.h"
#include "server/supervisor/runtime_directory.h"
#include "server/supervisor/sandboxes_limits.h"
#include "server/supervisor/second_line.h"
#include "server/supervisor/service_user.h"
#include "server/supervisor/supervisor.h"
#include "worker/base/epoll_watches.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"
#include "worker/wire/cpu_list.h"

namespace paddock {
namespace {

// Blocks what the loop takes from the descriptor: already while preparing, so
// that a signal then ends in an orderly stop too.
absl::StatusOr<UniqueFd> TakeSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) {
    sigaddset(&signals, number);
  }
  if (sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return ErrnoStatus(errno, "sigprocmask");
  }
  // A reader of our stdout that is gone must not end the service.
  signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return ErrnoStatus(errno, "signalfd");
  return fd;
}

// A descriptor the caller opened for us. Children do not get it.
absl::StatusOr<UniqueFd> TakeReadyFd(int number) {
  if (number < 0) return UniqueFd();
  if (number <= STDERR_FILENO || fcntl(number, F_SETFD, FD_CLOEXEC) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--ready-fd: ", number, " is no open descriptor above 2"));
  }
  return UniqueFd(number);
}

absl::StatusOr<UniqueFd> OpenOwnExecutable() {
  return OpenAt(AT_FDCWD, "/proc/self/exe", O_PATH);
}

absl::StatusOr<UniqueFd> OpenWorkerExecutable(const std::string& asked) {
  if (!asked.empty()) {
    absl::StatusOr<UniqueFd> fd = OpenAt(AT_FDCWD, asked, O_PATH);
    if (fd.ok()) return fd;
    return absl::FailedPreconditionError(
        absl::StrCat("--worker-binary: ", fd.status().message()));
  }
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
  if (length < 0) return ErrnoStatus(errno, "readlink /proc/self/exe");
  const std::string self(path, length);
  const std::string directory = self.substr(0, self.rfind('/'));
  for (const char* place :
       {"/paddock-worker", "/../libexec/paddock/paddock-worker"}) {
    absl::StatusOr<UniqueFd> fd = OpenAt(AT_FDCWD, directory + place, O_PATH);
    if (fd.ok()) return fd;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "there is no paddock-worker in ", directory, " or ", directory,
      "/../libexec/paddock: install it, or name it by --worker-binary"));
}

absl::StatusOr<CgroupInstance> MakeCgroups(const config::v1::Config& config) {
  ASSIGN_OR_RETURN(const std::vector<CgroupHierarchy> hierarchies,
                   FindOwnCgroupHierarchies(config.cgroup().parent()));
  SweepReport sweep;
  absl::StatusOr<CgroupInstance> cgroups =
      CgroupInstance::Create(hierarchies, &sweep, SandboxesLimitsOf(config));
  if (sweep.removed > 0) {
    spdlog::info("removed {} cgroups of a paddockd that was killed",
                 sweep.removed);
  }
  for (const std::string& problem : sweep.problems) {
    spdlog::warn("cgroup of a paddockd that was killed: {}", problem);
  }
  return cgroups;
}

absl::Status LookAtCorePattern() {
  const absl::StatusOr<std::string> pattern =
      ReadFileAt(AT_FDCWD, "/proc/sys/kernel/core_pattern");
  if (!pattern.ok()) return absl::OkStatus();
  rlimit core = {};
  if (getrlimit(RLIMIT_CORE, &core) != 0) {
    return ErrnoStatus(errno, "getrlimit(RLIMIT_CORE)");
  }
  if (core.rlim_max == 0) {
    const rlimit enough = {0, 1};
    if (setrlimit(RLIMIT_CORE, &enough) == 0) core = enough;
  }
  RETURN_IF_ERROR(CheckCoreLimit(*pattern, core.rlim_max));
  const std::string warning = CorePatternWarning(*pattern);
  if (!warning.empty()) spdlog::warn("{}", warning);
  return absl::OkStatus();
}

void WarnOfEpollWatches() {
  const absl::StatusOr<int64_t> watches = ReadEpollWatches(AT_FDCWD);
  const std::string warning = watches.ok() ? EpollWarning(*watches) : "";
  if (!warning.empty()) spdlog::warn("{}", warning);
}

absl::StatusOr<ServiceUser> PrepareUser(const config::v1::Config& config,
                                        bool rootless) {
  bool created = false;
  ServiceUser user;
  if (rootless) {
    if (config.workers().user() != kDefaultServiceUser) {
      return absl::FailedPreconditionError(
          "workers.user: only a paddockd that root starts can choose its user");
    }
    // The user who started us, without the capabilities of the namespace: no
    // other user could reach what is his.
    user.name = "who started paddockd";
  } else {
    ASSIGN_OR_RETURN(
        user, FindOrCreateServiceUser(config.workers().user(), &created));
  }
  if (created) spdlog::info("made the system user {}", user.name);
  if (!config.listen().unix_socket().empty()) {
    RETURN_IF_ERROR(
        PrepareRuntimeDirectory(config.listen().unix_socket(), user));
  }
  return user;
}

void WarnOfSharedIds(const std::vector<internal::v1::SlotIds>& ids,
                     bool rootless) {
  if (ids[0].per_sandbox() > 0) return;
  spdlog::warn(
      "all programs run under one user id, so what the kernel counts per user "
      "is shared by them: {}",
      rootless ? "give the user who starts paddockd ids in /etc/subuid and "
                 "/etc/subgid, and install newuidmap (package uidmap)"
               : "this user namespace maps too few ids");
}

// In this order: what can fail without leaving a trace comes first, cgroups,
// which have to be taken away again, last.
absl::StatusOr<Supervisor> Prepare(const config::v1::Config& config,
                                   const SupervisorFlags& flags) {
  for (const std::string& line : DescribeWeakenings(config.sandbox())) {
    spdlog::warn("{}", line);
  }
  RETURN_IF_ERROR(LookAtCorePattern());
  WarnOfEpollWatches();
  OomScore oom_score;
  RETURN_IF_ERROR(LookAtOomScore(&oom_score));
  RETURN_IF_ERROR(CheckOomScore(oom_score));
  ASSIGN_OR_RETURN(UniqueFd ready_fd, TakeReadyFd(flags.ready_fd));
  ASSIGN_OR_RETURN(std::vector<internal::v1::SlotIds> ids,
                   ShareOutOwnIds(config));
  WarnOfSharedIds(ids, flags.rootless);
  ASSIGN_OR_RETURN(UniqueFd signals, TakeSignals());
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    return ErrnoStatus(errno, "prctl(PR_SET_CHILD_SUBREAPER)");
  }
  ASSIGN_OR_RETURN(UniqueFd self, OpenOwnExecutable());
  ASSIGN_OR_RETURN(UniqueFd worker, OpenWorkerExecutable(flags.worker_binary));
  RETURN_IF_ERROR(
      RaiseOpenFilesLimit(config.requests().max_limits().open_files()));
  ASSIGN_OR_RETURN(ServiceUser user, PrepareUser(config, flags.rootless));
  ASSIGN_OR_RETURN(CgroupInstance cgroups, MakeCgroups(config));
  WorkerProgram workers = {std::move(worker), config, cgroups.layout(),
                           std::move(ids)};
  ServerProgram server = {std::move(self), config, std::move(user)};
  return Supervisor(std::move(server), std::move(workers), std::move(cgroups),
                    std::move(signals), std::move(ready_fd));
}

bool IsMemoryOfV1(const CgroupHierarchy& hierarchy) {
  return !hierarchy.unified &&
         std::count(hierarchy.controllers.begin(), hierarchy.controllers.end(),
                    "memory") > 0;
}

// Hierarchies that cannot be read are an error of RunSupervisor's.
int64_t OwnUsableMemory() {
  auto hierarchies =
      FindOwnCgroupHierarchies("").value_or(std::vector<CgroupHierarchy>());
  // v2 has no memory controller then. To mount it may take a cgroup namespace,
  // in which no more can be told where the groups of v1 are.
  const bool v1 =
      std::any_of(hierarchies.begin(), hierarchies.end(), IsMemoryOfV1);
  UniqueFd unmounted;
  for (CgroupHierarchy& hierarchy : hierarchies) {
    if (v1 || !hierarchy.unified || !hierarchy.own_directory.empty()) continue;
    absl::StatusOr<UniqueFd> root = OpenUnmountedUnified(&hierarchy);
    if (!root.ok()) continue;
    unmounted = *std::move(root);
    hierarchy.own_directory =
        absl::StrCat("/proc/self/fd/", unmounted.get(), hierarchy.own_path);
  }
  return UsableMemory(hierarchies);
}

}  // namespace

HostFacts LookAtHost(bool rootless) {
  HostFacts host;
  host.rootless = rootless;
  const char* runtime = getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr) host.runtime_directory = runtime;
  // Larger than the fixed cpu_set_t: hosts with over 1024 CPUs exist.
  constexpr int kMostCpus = 8192;
  cpu_set_t* cpus = CPU_ALLOC(kMostCpus);
  if (sched_getaffinity(0, CPU_ALLOC_SIZE(kMostCpus), cpus) == 0) {
    host.cpus = CPU_COUNT_S(CPU_ALLOC_SIZE(kMostCpus), cpus);
  }
  CPU_FREE(cpus);
  // Containers may hide it; the cgroup has the last word at start anyway.
  const auto online = ReadFileAt(AT_FDCWD, "/sys/devices/system/cpu/online");
  if (online.ok()) {
    host.online = ParseCpuList(*online).value_or(std::vector<int>());
  }
  host.memory_bytes = OwnUsableMemory();
  host.open_files = HighestOpenFilesLimit();
  return host;
}

int RunSupervisor(const config::v1::Config& config,
                  const SupervisorFlags& flags) {
  absl::StatusOr<Supervisor> supervisor = Prepare(config, flags);
  if (!supervisor.ok()) {
    spdlog::error("{}", std::string(supervisor.status().message()));
    return 1;
  }
  return supervisor->Run();
}

}  // namespace paddock
