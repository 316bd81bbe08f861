#include "server/supervisor/sandboxes_limits.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/supervisor/cgroup_advice.h"
#include "server/supervisor/cgroup_controllers.h"
#include "worker/base/file_util.h"
#include "worker/base/socket_memory.h"
#include "worker/base/status_macros.h"
#include "worker/wire/cpu_list.h"

namespace paddock {
namespace {

// The layers' names in GetServerInfo.
constexpr char kCpuWeightLayer[] = "cpu_weight";
constexpr char kCpusetLayer[] = "cpuset";
constexpr char kTotalMemoryLayer[] = "total_memory";

constexpr char kCpuWeightField[] = "sandbox.cpu_weight: ";
constexpr char kCpusetField[] = "sandbox.cpuset: ";

bool Has(const std::vector<std::string>& names, const char* name) {
  return std::count(names.begin(), names.end(), name) > 0;
}

// Sandboxes have no groups on v1 then: worker/sandbox/cgroup.cc.
bool SandboxesAreUnified(const internal::v1::CgroupLayout& layout) {
  const std::vector<std::string> used(layout.unified_controllers().begin(),
                                      layout.unified_controllers().end());
  return Has(used, "memory") && Has(used, "pids");
}

void AddRow(const char* layer, const std::string& mechanism,
            internal::v1::CgroupLayout* layout) {
  v1::LayerEnforcement* row = layout->add_sandboxes_layers();
  row->set_layer(layer);
  row->set_state(mechanism.empty() ? v1::ENFORCEMENT_STATE_NONE
                                   : v1::ENFORCEMENT_STATE_ENFORCED);
  row->set_mechanism(mechanism);
}

int WeightOf(const SandboxesLimits& limits) {
  return limits.cpu_weight == 0 ? kDefaultCpuWeight : limits.cpu_weight;
}

// What the kernel makes of a weight itself, in sched_weight_from_cgroup(); v1
// takes no less than 2.
int64_t SharesOf(int weight) {
  return std::max<int64_t>(2, int64_t{weight} * 1024 / 100);
}

// The kernel takes a list of which nothing, or only a part, can be used.
absl::Status CheckCpuset(int group, const char* file,
                         const std::string& asked) {
  ASSIGN_OR_RETURN(const std::string text, ReadFileAt(group, file));
  ASSIGN_OR_RETURN(const std::vector<int> usable, ParseCpuList(text));
  ASSIGN_OR_RETURN(const std::vector<int> wanted, ParseCpuList(asked));
  if (usable == wanted) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("'", asked, "': of these the daemon's cgroup may use only ",
                   usable.empty() ? "none" : FormatCpuList(usable)));
}

absl::Status SetUnifiedCpuset(const std::string& cpuset,
                              const UnifiedGroups& groups) {
  // Only where it is asked for: each controller has its price. Sandboxes have
  // no groups of their own in it, and so that of their parent.
  RETURN_IF_ERROR(EnableControllers(groups.base, {"cpuset"}));
  RETURN_IF_ERROR(EnableControllers(groups.instance, {"cpuset"}));
  RETURN_IF_ERROR(WriteControlAt(groups.sandboxes, "cpuset.cpus", cpuset));
  return CheckCpuset(groups.sandboxes, "cpuset.cpus.effective", cpuset);
}

absl::Status SetV1Cpuset(const std::string& cpuset, int group) {
  const absl::Status written = WriteControlAt(group, "cpuset.cpus", cpuset);
  // EACCES: not all of them are the parent's; EINVAL: not all are the host's.
  if (ErrnoOf(written) != EACCES && ErrnoOf(written) != EINVAL) {
    RETURN_IF_ERROR(written);
  }
  return CheckCpuset(group, "cpuset.cpus", cpuset);
}

absl::Status SetV1Memory(int64_t bytes, int group) {
  RETURN_IF_ERROR(
      WriteControlAt(group, "memory.limit_in_bytes", absl::StrCat(bytes)));
  // Memory and swap together: or the kernel would swap rather than kill.
  const absl::Status swap =
      WriteControlAt(group, "memory.memsw.limit_in_bytes", absl::StrCat(bytes));
  if (!swap.ok() && ErrnoOf(swap) != ENOENT) return swap;
  // Where it is missing no program gets such sockets.
  const absl::Status sockets =
      WriteControlAt(group, kSocketMemoryLimitFile, absl::StrCat(bytes));
  return ErrnoOf(sockets) == ENOENT ? absl::OkStatus() : sockets;
}

absl::Status Field(const char* field, const absl::Status& status) {
  return status.ok() ? status : Annotate(status, field);
}

}  // namespace

SandboxesLimits SandboxesLimitsOf(const config::v1::Config& config) {
  SandboxesLimits limits;
  limits.cpu_weight = config.sandbox().cpu_weight();
  limits.cpuset = config.sandbox().cpuset();
  const int64_t idle = config.workers().count() * kIdleSandboxesBytes;
  const int64_t budget = config.requests().memory_budget_bytes();
  // A budget may be anything.
  limits.memory_bytes =
      budget > std::numeric_limits<int64_t>::max() - idle ? 0 : budget + idle;
  return limits;
}

absl::Status LimitByUnified(const SandboxesLimits& limits,
                            const UnifiedGroups& groups,
                            internal::v1::CgroupLayout* layout) {
  if (Has(groups.used, "cpu")) {
    // Weights compete among siblings. Where the daemon is elsewhere, all of the
    // instance is sandboxes, and its siblings are the base's other groups.
    const int group = groups.holds_daemon ? groups.sandboxes : groups.instance;
    const int weight = WeightOf(limits);
    RETURN_IF_ERROR(
        Field(kCpuWeightField,
              WriteControlAt(group, "cpu.weight", absl::StrCat(weight))));
    AddRow(kCpuWeightLayer, absl::StrCat("cgroup v2 cpu.weight ", weight),
           layout);
  }
  if (!limits.cpuset.empty() && Has(groups.available, "cpuset")) {
    RETURN_IF_ERROR(
        Field(kCpusetField, SetUnifiedCpuset(limits.cpuset, groups)));
    AddRow(kCpusetLayer, absl::StrCat("cgroup v2 cpuset.cpus ", limits.cpuset),
           layout);
  }
  if (!Has(groups.used, "memory")) return absl::OkStatus();
  RETURN_IF_ERROR(
      CheckSwapIsLimited(groups.sandboxes, "memory.swap.max", HostSwapBytes()));
  if (limits.memory_bytes > 0) {
    RETURN_IF_ERROR(WriteControlAt(groups.sandboxes, "memory.max",
                                   absl::StrCat(limits.memory_bytes)));
    AddRow(kTotalMemoryLayer, "cgroup v2 memory.max of all sandboxes", layout);
  }
  return absl::OkStatus();
}

absl::Status LimitByV1(const SandboxesLimits& limits,
                       const std::string& controller, int group,
                       internal::v1::CgroupLayout* layout) {
  if (SandboxesAreUnified(*layout)) return absl::OkStatus();
  if (controller == "cpu") {
    // Against each process of the group around it, the daemon's among them.
    const int64_t shares = SharesOf(WeightOf(limits));
    RETURN_IF_ERROR(
        Field(kCpuWeightField,
              WriteControlAt(group, "cpu.shares", absl::StrCat(shares))));
    AddRow(kCpuWeightLayer, absl::StrCat("cgroup v1 cpu.shares ", shares),
           layout);
  } else if (controller == "cpuset" && !limits.cpuset.empty()) {
    RETURN_IF_ERROR(Field(kCpusetField, SetV1Cpuset(limits.cpuset, group)));
    AddRow(kCpusetLayer, absl::StrCat("cgroup v1 cpuset.cpus ", limits.cpuset),
           layout);
  } else if (controller == "memory") {
    RETURN_IF_ERROR(CheckSwapIsLimited(group, "memory.memsw.limit_in_bytes",
                                       HostSwapBytes()));
    if (limits.memory_bytes == 0) return absl::OkStatus();
    RETURN_IF_ERROR(SetV1Memory(limits.memory_bytes, group));
    AddRow(kTotalMemoryLayer,
           "cgroup v1 memory.limit_in_bytes of all sandboxes", layout);
  }
  return absl::OkStatus();
}

absl::Status CheckAllLimited(const SandboxesLimits& limits,
                             internal::v1::CgroupLayout* layout) {
  const auto limited = [layout](const char* layer) {
    return std::any_of(
        layout->sandboxes_layers().begin(), layout->sandboxes_layers().end(),
        [layer](const auto& row) { return row.layer() == layer; });
  };
  if (!limited(kCpuWeightLayer)) {
    if (limits.cpu_weight != 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          kCpuWeightField, limits.cpu_weight,
          " is asked for, and no cgroup hierarchy gives this process the cpu "
          "controller"));
    }
    AddRow(kCpuWeightLayer, "", layout);
  }
  if (!limits.cpuset.empty() && !limited(kCpusetLayer)) {
    return absl::FailedPreconditionError(absl::StrCat(
        kCpusetField, "'", limits.cpuset,
        "' is asked for, and no cgroup hierarchy gives this process the cpuset "
        "controller"));
  }
  return absl::OkStatus();
}

}  // namespace paddock
