#include "worker/sandbox/cgroup_v1.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "worker/base/file_util.h"
#include "worker/base/socket_memory.h"
#include "worker/base/status_macros.h"
#include "worker/sandbox/cgroup_files.h"

namespace paddock {
namespace {

// Those a sandbox gets a group in, where they are present. Not cpuset: nothing
// in a request chooses CPUs, and each group costs about 0.15 ms of CPU. Where
// the operator does, all sandboxes are in one.
constexpr const char* kUsed[] = {"memory", "pids", "cpuacct", "cpu", "blkio"};

// PAGE_ALLOC_COSTLY_ORDER, in bytes.
const int64_t kMostChargedForAKill = 8 * sysconf(_SC_PAGESIZE);

constexpr char kSwapFile[] = "memory.memsw.limit_in_bytes";
constexpr char kIoFile[] = "blkio.throttle.io_service_bytes";

constexpr char kSocketUsageFile[] = "memory.kmem.tcp.usage_in_bytes";
constexpr char kSocketPeakFile[] = "memory.kmem.tcp.max_usage_in_bytes";

class CgroupV1 : public CgroupWithKillGroup {
 public:
  CgroupV1(KillGroup group, int cpus, bool loopback)
      : CgroupWithKillGroup(std::move(group)),
        cpus_(cpus),
        loopback_(loopback) {}

  std::vector<int> join_fds() const override {
    std::vector<int> fds;
    if (group_.join_fd() >= 0) fds.push_back(group_.join_fd());
    for (const UniqueFd& fd : tasks_) fds.push_back(fd.get());
    return fds;
  }
  void CloseJoinFiles() override {
    group_.CloseJoinFile();
    tasks_.clear();
  }
  int oom_event_fd() const override { return oom_event_.get(); }
  bool MemoryLimitMet() const override {
    // memory.failcnt stays 0 on Linux 6.18. The kernel kills for no allocation
    // of more than 8 pages, so then the group was that close to its limit. A
    // program that was because of files, which the kernel could drop, counts
    // too. Where the host swaps, the sum alone may be near the limit.
    const CgroupDirectory& memory = Of("memory");
    const int64_t peak = std::max(
        memory.ReadNumber("memory.max_usage_in_bytes").value_or(0),
        memory.ReadNumber("memory.memsw.max_usage_in_bytes").value_or(0));
    return peak >= memory_bytes_ - kMostChargedForAKill;
  }
  bool OomKilled() const override { return OomKills().value_or(0) > 0; }
  absl::Status KillAll() override {
    RETURN_IF_ERROR(group_.KillAll());
    if (quota_micros_ < 0 || group_.IsEmpty()) return absl::OkStatus();
    quota_micros_ = -1;
    return SetQuota(FullQuotaMicros(cpus_));
  }

  // One group, whatever the number of controllers that share the hierarchy.
  absl::Status Add(const std::vector<std::string>& controllers, int parent,
                   const std::string& name) {
    ASSIGN_OR_RETURN(CgroupDirectory directory,
                     CgroupDirectory::Make(parent, name));
    owned_.push_back(std::make_unique<CgroupDirectory>(std::move(directory)));
    CgroupDirectory* const added = owned_.back().get();
    for (const std::string& name : controllers) directories_[name] = added;
    ASSIGN_OR_RETURN(UniqueFd tasks, added->Open("tasks", O_WRONLY));
    tasks_.push_back(std::move(tasks));
    return absl::OkStatus();
  }

  // A group that all sandboxes are in.
  absl::Status JoinShared(int directory) {
    ASSIGN_OR_RETURN(UniqueFd tasks, OpenAt(directory, "tasks", O_WRONLY));
    tasks_.push_back(std::move(tasks));
    return absl::OkStatus();
  }

  absl::Status Prepare() {
    CgroupDirectory& memory = Of("memory");
    CgroupDirectory& cpuacct = Of("cpuacct");
    CgroupDirectory& pids = Of("pids");
    ASSIGN_OR_RETURN(cpu_usage_, cpuacct.Open("cpuacct.usage", O_RDONLY));
    ASSIGN_OR_RETURN(oom_control_, memory.Open("memory.oom_control", O_RDONLY));
    memory.KeepOpen(O_WRONLY, {"memory.limit_in_bytes", kSwapFile});
    memory.KeepOpen(O_RDONLY, {"memory.max_usage_in_bytes",
                               "memory.usage_in_bytes", "memory.stat"});
    cpuacct.KeepOpen(O_RDONLY, {"cpuacct.usage_user", "cpuacct.usage_sys"});
    pids.KeepOpen(O_WRONLY, {"pids.max"});
    pids.KeepOpen(O_RDONLY, {"pids.peak", "pids.events"});
    if (directories_.contains("blkio")) {
      Of("blkio").KeepOpen(O_RDONLY, {kIoFile});
    }
    if (loopback_) {
      memory.KeepOpen(O_WRONLY, {kSocketMemoryLimitFile});
      memory.KeepOpen(O_RDONLY, {kSocketUsageFile, kSocketPeakFile});
    }
    oom_event_.Reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!oom_event_.valid()) return ErrnoStatus(errno, "eventfd");
    return memory.Write(
        "cgroup.event_control",
        absl::StrCat(oom_event_.get(), " ", oom_control_.get()));
  }

  absl::Status SetLimits(const ProgramLimits& limits) override {
    RETURN_IF_ERROR(SetMemory(limits.memory_bytes));
    if (limits.processes != processes_) {
      RETURN_IF_ERROR(
          Of("pids").Write("pids.max", absl::StrCat(limits.processes)));
      processes_ = limits.processes;
    }
    const int64_t quota = CpuQuotaMicros(limits.cpus, cpus_);
    if (quota == quota_micros_) return absl::OkStatus();
    if (!directories_.contains("cpu")) return NoCpuController();
    RETURN_IF_ERROR(SetQuota(quota));
    quota_micros_ = quota;
    return absl::OkStatus();
  }

  absl::StatusOr<absl::Duration> CpuTime() override {
    ASSIGN_OR_RETURN(const int64_t nanos, ReadNumberAgain(cpu_usage_.get()));
    return absl::Nanoseconds(nanos);
  }

  void ReadFigures(UsageFigures* figures) override {
    const CgroupDirectory& cpu = Of("cpuacct");
    if (const auto used = CpuTime(); used.ok()) figures->cpu_time = *used;
    SetDuration(cpu.ReadNumber("cpuacct.usage_user"), &figures->user_time);
    SetDuration(cpu.ReadNumber("cpuacct.usage_sys"), &figures->system_time);
    const CgroupDirectory& memory = Of("memory");
    figures->peak_memory_bytes = memory.ReadNumber("memory.max_usage_in_bytes");
    if (figures->peak_memory_bytes) {
      // Maybe not at one time; the sum at any is held to the limit.
      int64_t& peak = *figures->peak_memory_bytes;
      const int64_t both = peak + SocketMemory(kSocketPeakFile);
      peak = std::max(peak, std::min(memory_bytes_, both));
    }
    figures->file_memory_bytes = FileMemory();
    if (const auto kills = OomKills()) {
      figures->oom_kills = static_cast<int32_t>(*kills);
    }
    const CgroupDirectory& pids = Of("pids");
    if (const auto peak = pids.ReadNumber("pids.peak")) {
      figures->peak_processes = static_cast<int32_t>(*peak);
    }
    figures->process_limit_hits = pids.ReadKey("pids.events", "max");
    ReadIo(figures);
  }

  int64_t MemoryInUse() override {
    return Of("memory").ReadNumber("memory.usage_in_bytes").value_or(0) +
           SocketMemoryCharged();
  }
  int64_t SocketMemoryCharged() override {
    return SocketMemory(kSocketUsageFile);
  }
  int64_t MemoryHeld() override {
    return MemoryInUse() - FileMemory().value_or(0);
  }

  // Before it refuses a limit the kernel sees how much is really taken.
  void Reclaim(int64_t bytes) override {
    CgroupDirectory& memory = Of("memory");
    const auto used = memory.ReadNumber("memory.usage_in_bytes");
    if (!used) return;
    memory
        .Write("memory.limit_in_bytes",
               absl::StrCat(std::max<int64_t>(0, *used - bytes)))
        .IgnoreError();
  }

  absl::Status Remove() override {
    oom_event_.Reset();
    absl::Status status = group_.Remove();
    for (const auto& directory : owned_) status.Update(directory->Remove());
    return status;
  }

 private:
  absl::Status SetMemory(int64_t bytes) {
    if (bytes == memory_bytes_) return absl::OkStatus();
    // Memory and swap together must never be less than memory.
    if (bytes > memory_bytes_) RETURN_IF_ERROR(SetMemoryAndSwap(bytes));
    RETURN_IF_ERROR(
        Of("memory").Write("memory.limit_in_bytes", absl::StrCat(bytes)));
    if (bytes < memory_bytes_) RETURN_IF_ERROR(SetMemoryAndSwap(bytes));
    if (loopback_) {
      RETURN_IF_ERROR(
          Of("memory").Write(kSocketMemoryLimitFile, absl::StrCat(bytes)));
    }
    memory_bytes_ = bytes;
    return absl::OkStatus();
  }

  // Where a group above has less, the kernel refuses it, and that less holds.
  absl::Status SetQuota(int64_t micros) {
    absl::Status status =
        Of("cpu").Write("cpu.cfs_quota_us", absl::StrCat(micros));
    if (!absl::IsInvalidArgument(status)) return status;
    return Of("cpu").Write("cpu.cfs_quota_us", "-1");
  }

  // 0 where the program can have no such sockets.
  int64_t SocketMemory(const char* file) const {
    return loopback_ ? Of("memory").ReadNumber(file).value_or(0) : 0;
  }

  // A host without the file has no swap: server/supervisor/cgroup_advice.h.
  absl::Status SetMemoryAndSwap(int64_t bytes) {
    absl::Status status = Of("memory").Write(kSwapFile, absl::StrCat(bytes));
    return absl::IsNotFound(status) ? absl::OkStatus() : status;
  }

  std::optional<int64_t> FileMemory() const {
    const absl::StatusOr<std::string> stat = Of("memory").Read("memory.stat");
    if (!stat.ok()) return std::nullopt;
    const auto cache = FindKey(*stat, "cache");
    const auto shmem = FindKey(*stat, "shmem");
    if (!cache || !shmem) return std::nullopt;
    return std::max<int64_t>(0, *cache - *shmem);
  }

  std::optional<int64_t> OomKills() const {
    const auto text = ReadFromStart(oom_control_.get(), "oom_control");
    if (!text.ok()) return std::nullopt;
    return FindKey(*text, "oom_kill");
  }

  CgroupDirectory& Of(const char* controller) const {
    return *directories_.at(controller);
  }

  static void SetDuration(std::optional<int64_t> nanos,
                          std::optional<absl::Duration>* duration) {
    if (nanos) *duration = absl::Nanoseconds(*nanos);
  }

  // Lines as "254:0 Read 4096". Linux 6.18 counts nothing there for a disk on
  // which nobody has set a limit (block/blk-throttle.h, blk_should_throtl), and
  // to set one is not ours: what the processes were counted for is known
  // anyway.
  void ReadIo(UsageFigures* figures) {
    if (!directories_.contains("blkio")) return;
    absl::StatusOr<std::string> stat = Of("blkio").Read(kIoFile);
    if (!stat.ok()) return;
    int64_t read = 0;
    int64_t written = 0;
    for (absl::string_view line : absl::StrSplit(*stat, '\n')) {
      const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
      int64_t value = 0;
      if (words.size() != 3 || !absl::SimpleAtoi(words[2], &value)) continue;
      if (words[1] == "Read") read += value;
      if (words[1] == "Write") written += value;
    }
    figures->io_read_bytes = std::max(read, figures->waited_read_bytes);
    figures->io_write_bytes = std::max(written, figures->waited_write_bytes);
  }

  int cpus_;  // that programs can run on
  bool loopback_;
  std::vector<std::unique_ptr<CgroupDirectory>> owned_;
  std::map<std::string, CgroupDirectory*> directories_;  // by controller
  std::vector<UniqueFd> tasks_;
  UniqueFd cpu_usage_;
  UniqueFd oom_control_;
  UniqueFd oom_event_;
  // As last set.
  int64_t memory_bytes_ = std::numeric_limits<int64_t>::max();
  int32_t processes_ = 0;
  int64_t quota_micros_ = -1;
};

// One v1 hierarchy. systemd mounts some with several controllers: cpu,cpuacct.
struct Hierarchy {
  UniqueFd directory;
  std::vector<std::string> controllers;
};

class CgroupV1Factory : public CgroupFactory {
 public:
  // `cpuset`: what all sandboxes join, -1 if there is nothing to join.
  CgroupV1Factory(UniqueFd unified, std::vector<Hierarchy> hierarchies,
                  UniqueFd cpuset, const CgroupOptions& options)
      : unified_(std::move(unified)),
        hierarchies_(std::move(hierarchies)),
        cpuset_(std::move(cpuset)),
        options_(options) {}

  absl::StatusOr<std::unique_ptr<SandboxCgroup>> Create(
      const std::string& name, bool loopback) override {
    ASSIGN_OR_RETURN(KillGroup group,
                     KillGroup::Make(unified_.get(), name, options_));
    auto cgroup = std::make_unique<CgroupV1>(std::move(group),
                                             UsableCpus(options_), loopback);
    absl::Status status;
    if (cpuset_.valid()) status = cgroup->JoinShared(cpuset_.get());
    for (const Hierarchy& hierarchy : hierarchies_) {
      if (!status.ok()) break;
      status =
          cgroup->Add(hierarchy.controllers, hierarchy.directory.get(), name);
    }
    if (status.ok()) status = cgroup->Prepare();
    if (!status.ok()) {
      cgroup->Remove().IgnoreError();
      return status;
    }
    return cgroup;
  }

  CgroupMechanisms mechanisms() const override {
    CgroupMechanisms m;
    m.cpu_time = "cgroup v1 cpuacct.usage, watched by the worker";
    m.memory = absl::StrCat(
        "cgroup v1 memory.limit_in_bytes",
        HasFile(kSwapFile) ? ", memory.memsw.limit_in_bytes" : kNoSwap);
    m.processes = "cgroup v1 pids.max";
    if (Has("cpu")) {
      m.cpus = "cgroup v1 cpu.cfs_quota_us";
    } else if (options_.degrade_cpus) {
      m.cpus = kCpusDegraded;
      m.cpus_degraded = true;
    }
    if (Has("blkio")) {
      m.io = "cgroup v1 blkio.throttle.io_service_bytes, or more by getrusage";
    }
    m.kill = "cgroup v2 cgroup.kill";
    m.oom = "cgroup v1 memory.oom_control event, then cgroup.kill";
    if (HasFile(kSocketMemoryLimitFile)) {
      m.sockets = absl::StrCat("cgroup v1 ", kSocketUsageFile);
    }
    m.entry = absl::StrCat("v1: tasks; v2: ", EntryMechanism(options_));
    return m;
  }

 private:
  bool Has(const char* controller) const {
    return absl::c_any_of(hierarchies_, [&](const Hierarchy& hierarchy) {
      return absl::c_linear_search(hierarchy.controllers, controller);
    });
  }

  bool HasFile(const char* name) const {
    return absl::c_any_of(hierarchies_, [name](const Hierarchy& hierarchy) {
      return faccessat(hierarchy.directory.get(), name, W_OK, AT_EACCESS) == 0;
    });
  }

  UniqueFd unified_;
  std::vector<Hierarchy> hierarchies_;
  UniqueFd cpuset_;
  CgroupOptions options_;
};

bool IsSame(int directory, int other) {
  struct stat a, b;
  return fstat(directory, &a) == 0 && fstat(other, &b) == 0 &&
         a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Those of `controllers` that a sandbox gets a group in, by hierarchy.
std::vector<Hierarchy> ByHierarchy(
    std::map<std::string, UniqueFd>* controllers) {
  std::vector<Hierarchy> found;
  for (const char* name : kUsed) {
    const auto controller = controllers->find(name);
    if (controller == controllers->end()) continue;
    UniqueFd& directory = controller->second;
    const auto same = absl::c_find_if(found, [&](const Hierarchy& hierarchy) {
      return IsSame(hierarchy.directory.get(), directory.get());
    });
    if (same == found.end()) {
      found.push_back({std::move(directory), {name}});
    } else {
      same->controllers.push_back(name);
    }
  }
  return found;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CgroupFactory>> MakeCgroupV1Factory(
    UniqueFd unified, std::map<std::string, UniqueFd> controllers,
    const CgroupOptions& options) {
  UniqueFd cpuset;
  if (options.cpuset_size > 0 && controllers.contains("cpuset")) {
    cpuset = std::move(controllers["cpuset"]);
  }
  return std::make_unique<CgroupV1Factory>(std::move(unified),
                                           ByHierarchy(&controllers),
                                           std::move(cpuset), options);
}

}  // namespace paddock
