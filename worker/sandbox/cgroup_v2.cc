#include "worker/sandbox/cgroup_v2.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"
#include "worker/sandbox/cgroup_files.h"

namespace paddock {
namespace {

constexpr char kSwapFile[] = "memory.swap.max";

bool Has(const std::vector<std::string>& controllers, const char* name) {
  return std::find(controllers.begin(), controllers.end(), name) !=
         controllers.end();
}

class CgroupV2 : public CgroupWithKillGroup {
 public:
  // `has_cpu`: the cpu controller is there.
  CgroupV2(KillGroup group, bool has_cpu, int cpus)
      : CgroupWithKillGroup(std::move(group)), has_cpu_(has_cpu), cpus_(cpus) {}

  std::vector<int> join_fds() const override {
    if (group_.join_fd() < 0) return {};
    return {group_.join_fd()};
  }
  void CloseJoinFiles() override { group_.CloseJoinFile(); }
  int oom_event_fd() const override { return -1; }
  bool MemoryLimitMet() const override {
    // oom counts what met the limit of this very group; oom_kill also counts
    // kills for the sake of a group above, or of the host.
    return dir().ReadKey("memory.events", "oom").value_or(0) > 0;
  }
  bool OomKilled() const override {
    return dir().ReadKey("memory.events", "oom_kill").value_or(0) > 0;
  }
  absl::Status KillAll() override {
    RETURN_IF_ERROR(group_.KillAll());
    if (quota_micros_ < 0 || group_.IsEmpty()) return absl::OkStatus();
    quota_micros_ = -1;
    return dir().Write(
        "cpu.max", absl::StrCat(FullQuotaMicros(cpus_), " ", kCpuPeriodMicros));
  }
  absl::Status Remove() override { return group_.Remove(); }

  // What does not depend on the request.
  absl::Status Prepare() {
    RETURN_IF_ERROR(dir().Write("memory.oom.group", "1"));
    // A host without the file has no swap: server/supervisor/cgroup_advice.h.
    absl::Status swap = dir().Write(kSwapFile, "0");
    if (!swap.ok() && !absl::IsNotFound(swap)) return swap;
    ASSIGN_OR_RETURN(cpu_stat_, dir().Open("cpu.stat", O_RDONLY));
    group_.directory().KeepOpen(O_WRONLY, {"memory.max", "pids.max"});
    group_.directory().KeepOpen(
        O_RDONLY, {"memory.peak", "memory.current", "memory.stat",
                   "memory.events", "pids.peak", "pids.events", "io.stat"});
    return absl::OkStatus();
  }

  absl::Status SetLimits(const ProgramLimits& limits) override {
    if (limits.memory_bytes != memory_bytes_) {
      RETURN_IF_ERROR(
          dir().Write("memory.max", absl::StrCat(limits.memory_bytes)));
      memory_bytes_ = limits.memory_bytes;
    }
    if (limits.processes != processes_) {
      RETURN_IF_ERROR(dir().Write("pids.max", absl::StrCat(limits.processes)));
      processes_ = limits.processes;
    }
    const int64_t quota = CpuQuotaMicros(limits.cpus, cpus_);
    if (quota == quota_micros_) return absl::OkStatus();
    if (!has_cpu_) return NoCpuController();
    RETURN_IF_ERROR(dir().Write(
        "cpu.max", absl::StrCat(quota < 0 ? "max" : absl::StrCat(quota), " ",
                                kCpuPeriodMicros)));
    quota_micros_ = quota;
    return absl::OkStatus();
  }

  absl::StatusOr<absl::Duration> CpuTime() override {
    char buffer[512];
    const ssize_t n = pread(cpu_stat_.get(), buffer, sizeof(buffer), 0);
    if (n < 0) return ErrnoStatus(errno, "read cpu.stat");
    const auto usage = FindKey(absl::string_view(buffer, n), "usage_usec");
    if (!usage) return absl::InternalError("cpu.stat has no usage_usec");
    return absl::Microseconds(*usage);
  }

  void ReadFigures(UsageFigures* figures) override {
    if (const auto stat = ReadFromStart(cpu_stat_.get(), "cpu.stat");
        stat.ok()) {
      SetDuration(FindKey(*stat, "usage_usec"), &figures->cpu_time);
      SetDuration(FindKey(*stat, "user_usec"), &figures->user_time);
      SetDuration(FindKey(*stat, "system_usec"), &figures->system_time);
    }
    figures->peak_memory_bytes = dir().ReadNumber("memory.peak");
    figures->file_memory_bytes = FileMemory();
    if (const auto kills = dir().ReadKey("memory.events", "oom_kill")) {
      figures->oom_kills = static_cast<int32_t>(*kills);
    }
    if (const auto peak = dir().ReadNumber("pids.peak")) {
      figures->peak_processes = static_cast<int32_t>(*peak);
    }
    figures->process_limit_hits = dir().ReadKey("pids.events", "max");
    ReadIo(figures);
  }

  int64_t MemoryInUse() override {
    return dir().ReadNumber("memory.current").value_or(0);
  }
  int64_t SocketMemoryCharged() override {
    return dir().ReadKey("memory.stat", "sock").value_or(0);
  }
  int64_t MemoryHeld() override {
    return MemoryInUse() - FileMemory().value_or(0);
  }
  // Before it reclaims anything the kernel sees how much is really taken.
  void Reclaim(int64_t bytes) override {
    const int64_t rest = std::max<int64_t>(0, MemoryInUse() - bytes);
    dir().Write("memory.high", absl::StrCat(rest)).IgnoreError();
  }

 private:
  const CgroupDirectory& dir() const { return group_.directory(); }

  std::optional<int64_t> FileMemory() const {
    const absl::StatusOr<std::string> stat = dir().Read("memory.stat");
    if (!stat.ok()) return std::nullopt;
    const auto file = FindKey(*stat, "file");
    const auto shmem = FindKey(*stat, "shmem");
    if (!file || !shmem) return std::nullopt;
    return std::max<int64_t>(0, *file - *shmem);
  }

  static void SetDuration(std::optional<int64_t> micros,
                          std::optional<absl::Duration>* duration) {
    if (micros) *duration = absl::Microseconds(*micros);
  }

  // Lines as "8:0 rbytes=90430464 wbytes=299008512 rios=..."
  void ReadIo(UsageFigures* figures) {
    absl::StatusOr<std::string> stat = dir().Read("io.stat");
    if (!stat.ok()) return;
    int64_t read = 0;
    int64_t written = 0;
    for (absl::string_view word :
         absl::StrSplit(*stat, absl::ByAnyChar(" \n"))) {
      int64_t value = 0;
      if (absl::ConsumePrefix(&word, "rbytes=")) {
        if (absl::SimpleAtoi(word, &value)) read += value;
      } else if (absl::ConsumePrefix(&word, "wbytes=")) {
        if (absl::SimpleAtoi(word, &value)) written += value;
      }
    }
    figures->io_read_bytes = read;
    figures->io_write_bytes = written;
  }

  bool has_cpu_;
  int cpus_;  // that programs can run on
  UniqueFd cpu_stat_;
  // As last set.
  int64_t memory_bytes_ = 0;
  int32_t processes_ = 0;
  int64_t quota_micros_ = -1;
};

class CgroupV2Factory : public CgroupFactory {
 public:
  CgroupV2Factory(UniqueFd directory, std::vector<std::string> controllers,
                  const CgroupOptions& options)
      : directory_(std::move(directory)),
        controllers_(std::move(controllers)),
        options_(options) {}

  absl::StatusOr<std::unique_ptr<SandboxCgroup>> Create(
      const std::string& name, bool /*loopback*/) override {
    ASSIGN_OR_RETURN(KillGroup group,
                     KillGroup::Make(directory_.get(), name, options_));
    auto cgroup = std::make_unique<CgroupV2>(
        std::move(group), Has(controllers_, "cpu"), UsableCpus(options_));
    if (absl::Status status = cgroup->Prepare(); !status.ok()) {
      cgroup->Remove().IgnoreError();
      return status;
    }
    return cgroup;
  }

  CgroupMechanisms mechanisms() const override {
    CgroupMechanisms m;
    m.cpu_time = "cgroup v2 cpu.stat, watched by the worker";
    const bool limits_swap =
        faccessat(directory_.get(), kSwapFile, W_OK, AT_EACCESS) == 0;
    m.memory = absl::StrCat("cgroup v2 memory.max",
                            limits_swap ? ", memory.swap.max 0" : kNoSwap);
    m.processes = "cgroup v2 pids.max";
    if (Has(controllers_, "cpu")) {
      m.cpus = "cgroup v2 cpu.max";
    } else if (options_.degrade_cpus) {
      m.cpus = kCpusDegraded;
      m.cpus_degraded = true;
    }
    if (Has(controllers_, "io")) m.io = "cgroup v2 io.stat";
    m.kill = "cgroup v2 cgroup.kill";
    m.oom = "cgroup v2 memory.oom.group";
    m.sockets = "cgroup v2 memory.max";
    m.entry = EntryMechanism(options_);
    return m;
  }

 private:
  UniqueFd directory_;
  std::vector<std::string> controllers_;
  CgroupOptions options_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CgroupFactory>> MakeCgroupV2Factory(
    UniqueFd directory, std::vector<std::string> controllers,
    const CgroupOptions& options) {
  return std::make_unique<CgroupV2Factory>(std::move(directory),
                                           std::move(controllers), options);
}

}  // namespace paddock
