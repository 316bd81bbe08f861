#include "server/supervisor/cgroup_controllers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

// kUsedControllers as v2 has them.
constexpr const char* kUnifiedControllers[] = {"memory", "pids", "cpu", "io"};

absl::StatusOr<std::vector<std::string>> Words(int directory,
                                               const char* file) {
  ASSIGN_OR_RETURN(const std::string text, ReadFileAt(directory, file));
  return std::vector<std::string>(
      absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty()));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> AvailableControllers(int directory) {
  return Words(directory, "cgroup.controllers");
}

std::vector<std::string> UsedControllers(
    const std::vector<std::string>& available) {
  std::vector<std::string> used;
  for (const char* name : kUnifiedControllers) {
    if (std::count(available.begin(), available.end(), name) > 0) {
      used.push_back(name);
    }
  }
  return used;
}

absl::Status EnableControllers(int directory,
                               const std::vector<std::string>& controllers) {
  for (const std::string& name : controllers) {
    RETURN_IF_ERROR(WriteControlAt(directory, "cgroup.subtree_control",
                                   absl::StrCat("+", name)));
  }
  return absl::OkStatus();
}

void DisableControllers(int directory) {
  const auto enabled = Words(directory, "cgroup.subtree_control");
  if (!enabled.ok()) return;
  for (const std::string& name : *enabled) {
    WriteControlAt(directory, "cgroup.subtree_control", absl::StrCat("-", name))
        .IgnoreError();
  }
}

}  // namespace paddock
