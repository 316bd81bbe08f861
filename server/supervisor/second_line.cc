#include "server/supervisor/second_line.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

// hugetlb.2MB.max on v2, hugetlb.2MB.limit_in_bytes on v1; .rsvd. in between:
// of what is only reserved.
bool IsHugePageLimit(absl::string_view name) {
  return absl::StartsWith(name, "hugetlb.") &&
         (absl::EndsWith(name, ".max") ||
          absl::EndsWith(name, ".limit_in_bytes"));
}

absl::StatusOr<std::vector<std::string>> HugePageLimits(int group) {
  UniqueFd copy(openat(group, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy.valid()) return ErrnoStatus(errno, "open a cgroup");
  std::unique_ptr<DIR, int (*)(DIR*)> dir(fdopendir(copy.get()), closedir);
  if (dir == nullptr) return ErrnoStatus(errno, "fdopendir of a cgroup");
  (void)copy.Release();  // closedir closes it
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir.get())) {
    if (IsHugePageLimit(entry->d_name)) names.push_back(entry->d_name);
  }
  return names;
}

}  // namespace

absl::Status ForbidHugePages(int group) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, HugePageLimits(group));
  for (const std::string& name : names) {
    RETURN_IF_ERROR(WriteControlAt(group, name, "0"));
  }
  return names.empty() ? absl::NotFoundError("no limit of huge pages")
                       : absl::OkStatus();
}

absl::Status AllowSandboxDevicesOnly(int group) {
  RETURN_IF_ERROR(WriteControlAt(group, "devices.deny", "a"));
  for (const char* device :
       {"c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm"}) {
    RETURN_IF_ERROR(WriteControlAt(group, "devices.allow", device));
  }
  return absl::OkStatus();
}

std::string CorePatternWarning(absl::string_view core_pattern) {
  core_pattern = absl::StripSuffix(core_pattern, "\n");
  if (absl::ConsumePrefix(&core_pattern, "|")) {
    return absl::StrCat(
        "kernel.core_pattern hands core dumps to a program outside of any "
        "sandbox's limits (",
        core_pattern,
        "). Programs run with RLIMIT_CORE 1, for which the kernel does not "
        "start it; what a host needs no core dumps for is safer with a plain "
        "name");
  }
  // Since Linux 6.16.
  if (absl::StartsWith(core_pattern, "@")) {
    return absl::StrCat(
        "kernel.core_pattern hands core dumps to a socket of the host (",
        core_pattern,
        "), those of sandboxed programs too, as no limit keeps the kernel from "
        "it: a plain name would");
  }
  return "";
}

absl::Status CheckCoreLimit(absl::string_view core_pattern,
                            uint64_t hard_limit) {
  if (hard_limit > 0 || !absl::StartsWith(core_pattern, "|")) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "RLIMIT_CORE: paddockd is limited to 0, with which the kernel hands what "
      "a crashed program leaves to the host's kernel.core_pattern (",
      absl::StripSuffix(core_pattern, "\n"),
      "). Start it with a hard limit of 1 or more (LimitCORE=1 in a unit, "
      "--ulimit core=1 for a container), or give core_pattern a plain name"));
}

}  // namespace paddock
