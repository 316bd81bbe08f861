#include "worker/sandbox/cgroup.h"

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"
#include "worker/sandbox/cgroup_v1.h"
#include "worker/sandbox/cgroup_v2.h"

namespace paddock {

absl::StatusOr<std::unique_ptr<CgroupFactory>> OpenCgroups(
    UniqueFd unified, const std::vector<std::string>& unified_controllers,
    const std::vector<CgroupV1Directory>& v1, const CgroupOptions& options) {
  const auto has = [&](const char* name) {
    return std::find(unified_controllers.begin(), unified_controllers.end(),
                     name) != unified_controllers.end();
  };
  // One interface takes all of them: a host that splits the controllers that
  // matter between v1 and v2 is refused rather than half limited.
  if (has("memory") && has("pids")) {
    return MakeCgroupV2Factory(std::move(unified), unified_controllers,
                               options);
  }
  std::map<std::string, UniqueFd> opened;
  for (const CgroupV1Directory& directory : v1) {
    ASSIGN_OR_RETURN(opened[directory.controller],
                     OpenAt(AT_FDCWD, directory.path, O_RDONLY | O_DIRECTORY));
  }
  for (const char* needed : {"memory", "pids", "cpuacct"}) {
    if (!opened.contains(needed)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "this host gives us no cgroup controller `", needed, "`"));
    }
  }
  return MakeCgroupV1Factory(std::move(unified), std::move(opened), options);
}

absl::Status NoCpuController() {
  return absl::FailedPreconditionError(
      "cpus cannot be limited: this host gives us no cpu controller");
}

const char* EntryMechanism(const CgroupOptions& options) {
  return options.clone_into
             ? "clone3(CLONE_INTO_CGROUP)"
             : "cgroup.procs: the cgroup we are in was killed before, and this "
               "kernel kills what is cloned into another from there";
}

}  // namespace paddock
