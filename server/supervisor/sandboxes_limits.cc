#include "server/supervisor/sandboxes_limits.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

// The layers' names in GetServerInfo.
constexpr char kCpuWeightLayer[] = "cpu_weight";

constexpr char kCpuWeightField[] = "sandbox.cpu_weight: ";

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

}  // namespace

SandboxesLimits SandboxesLimitsOf(const config::v1::Config& config) {
  SandboxesLimits limits;
  limits.cpu_weight = config.sandbox().cpu_weight();
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
        Annotate(WriteControlAt(group, "cpu.weight", absl::StrCat(weight)),
                 kCpuWeightField));
    AddRow(kCpuWeightLayer, absl::StrCat("cgroup v2 cpu.weight ", weight),
           layout);
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
        Annotate(WriteControlAt(group, "cpu.shares", absl::StrCat(shares)),
                 kCpuWeightField));
    AddRow(kCpuWeightLayer, absl::StrCat("cgroup v1 cpu.shares ", shares),
           layout);
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
  return absl::OkStatus();
}

}  // namespace paddock
