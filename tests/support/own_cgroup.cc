#include "tests/support/own_cgroup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/supervisor/cgroup_layout.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

pid_t owner = 0;
std::string* home = nullptr;
std::string* directory = nullptr;

void GoHome() {
  if (getpid() != owner) return;  // a child of the test ends
  (void)WriteControlAt(AT_FDCWD, *home + "/cgroup.procs", "0");
  rmdir(directory->c_str());
}

// Gives those controllers that `parent` has itself on to its children.
absl::Status EnableControllers(const std::string& parent) {
  ASSIGN_OR_RETURN(const std::string present,
                   ReadFileAt(AT_FDCWD, parent + "/cgroup.controllers"));
  for (absl::string_view controller :
       absl::StrSplit(present, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    RETURN_IF_ERROR(WriteControlAt(AT_FDCWD, parent + "/cgroup.subtree_control",
                                   absl::StrCat("+", controller)));
  }
  return absl::OkStatus();
}

absl::Status MakeAndEnter(const std::string& parent) {
  RETURN_IF_ERROR(EnableControllers(parent));
  const std::string made = absl::StrCat(parent, "/paddock-test-", getpid());
  if (mkdir(made.c_str(), 0755) != 0) return ErrnoStatus(errno, made);
  if (absl::Status entered =
          WriteControlAt(AT_FDCWD, made + "/cgroup.procs", "0");
      !entered.ok()) {
    rmdir(made.c_str());
    return entered;
  }
  directory = new std::string(made);
  return absl::OkStatus();
}

absl::Status Enter() {
  ASSIGN_OR_RETURN(const auto hierarchies, FindOwnCgroupHierarchies(""));
  const CgroupHierarchy& unified = hierarchies[0];
  if (hierarchies.size() > 1 || unified.own_directory.empty()) {
    return absl::OkStatus();
  }
  owner = getpid();
  home = new std::string(unified.own_directory);
  // Below our own where that may be (the host's root), else beside it.
  absl::Status status = MakeAndEnter(*home);
  if (!status.ok()) {
    status = MakeAndEnter(home->substr(0, home->rfind('/')));
  }
  if (status.ok()) atexit(GoHome);
  return status;
}

}  // namespace

absl::Status EnterOwnCgroup() {
  static const absl::Status* status = new absl::Status(Enter());
  return *status;
}

}  // namespace paddock
