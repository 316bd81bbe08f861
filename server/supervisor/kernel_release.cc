#include "server/supervisor/kernel_release.h"

#include <sys/utsname.h>

#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace paddock {
namespace {

// The youngest of what nothing here works without: cgroup.kill, cgroups(7).
// mount_setattr(2) is of 5.12, CLOSE_RANGE_CLOEXEC of 5.11, subset=pid of 5.8,
// CLONE_INTO_CGROUP of 5.7.
constexpr std::pair<int, int> kOldest = {5, 14};

}  // namespace

absl::Status CheckKernelRelease(absl::string_view release) {
  const std::string text(release);
  std::pair<int, int> found;
  if (sscanf(text.c_str(), "%d.%d", &found.first, &found.second) != 2 ||
      found >= kOldest) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "Linux ", release, " is too old: paddockd needs ", kOldest.first, ".",
      kOldest.second,
      " or newer, for cgroup.kill among others. Boot a newer kernel"));
}

absl::Status CheckKernel() {
  utsname name;
  if (uname(&name) != 0) return absl::OkStatus();
  return CheckKernelRelease(name.release);
}

}  // namespace paddock
