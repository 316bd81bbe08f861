#include "tests/unit/supervisor/cgroup_parent.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/supervisor/cgroup_layout.h"
#include "tests/support/own_cgroup.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

// Where the program was before it moved.
std::string* home = nullptr;
pid_t owner = 0;

std::string TestDirectory(const char* name) {
  return absl::StrCat(*home, "/test-", owner, "-", name);
}

void GoHome() {
  if (getpid() != owner) return;  // a child of the test ends
  rmdir(TestDirectory("base").c_str());
  for (const char* controller :
       {"memory", "pids", "cpu", "cpuset", "io", "hugetlb"}) {
    (void)WriteControlAt(AT_FDCWD, *home + "/cgroup.subtree_control",
                         absl::StrCat("-", controller));
  }
  (void)WriteControlAt(AT_FDCWD, *home + "/cgroup.procs", "0");
  rmdir(TestDirectory("leaf").c_str());
}

absl::StatusOr<std::string> MakeParent() {
  RETURN_IF_ERROR(EnterOwnCgroup());
  ASSIGN_OR_RETURN(const auto hierarchies, FindOwnCgroupHierarchies(""));
  const CgroupHierarchy& unified = hierarchies[0];
  if (unified.own_directory.empty()) return "";
  ASSIGN_OR_RETURN(
      const std::string controllers,
      ReadFileAt(AT_FDCWD, unified.own_directory + "/cgroup.controllers"));
  if (!absl::StrContains(controllers, "memory")) return "";
  home = new std::string(unified.own_directory);
  owner = getpid();
  atexit(GoHome);
  mkdir(TestDirectory("leaf").c_str(), 0755);
  mkdir(TestDirectory("base").c_str(), 0755);
  RETURN_IF_ERROR(
      WriteControlAt(AT_FDCWD, TestDirectory("leaf") + "/cgroup.procs", "0"));
  RETURN_IF_ERROR(WriteControlAt(AT_FDCWD, *home + "/cgroup.subtree_control",
                                 "+memory +pids"));
  // Not every kernel has them.
  for (const char* more : {"+hugetlb", "+cpu", "+cpuset"}) {
    (void)WriteControlAt(AT_FDCWD, *home + "/cgroup.subtree_control", more);
  }
  return absl::StrCat(unified.own_path == "/" ? "" : unified.own_path, "/test-",
                      owner, "-base");
}

}  // namespace

absl::StatusOr<std::string> CgroupParentForTests() {
  static const absl::StatusOr<std::string>* parent =
      new absl::StatusOr<std::string>(MakeParent());
  return *parent;
}

FreshGroup::FreshGroup() {
  const std::string parent = CgroupParentForTests().value_or("");
  if (parent.empty()) return;
  const std::string base = TestDirectory("base");
  (void)WriteControlAt(AT_FDCWD, base + "/cgroup.subtree_control",
                       "+memory +pids");
  path_ = parent + "/fresh";
  directory_ = base + "/fresh";
  mkdir(directory_.c_str(), 0755);
}

FreshGroup::~FreshGroup() {
  if (!directory_.empty()) rmdir(directory_.c_str());
}

}  // namespace paddock
