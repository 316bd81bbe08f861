// On the real hierarchies of this host, below the groups this test is in.
#include "server/supervisor/cgroup_instance.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "server/supervisor/cgroup_tree.h"
#include "tests/support/skip.h"
#include "tests/unit/supervisor/cgroup_parent.h"
#include "worker/base/file_util.h"

namespace paddock {
namespace {

using testing::Contains;

std::vector<CgroupHierarchy> Hierarchies() {
  auto found = FindOwnCgroupHierarchies(CgroupParentForTests().value_or(""));
  EXPECT_TRUE(found.ok()) << found.status();
  return *std::move(found);
}

bool Exists(const std::string& path) {
  struct stat st;
  return stat(path.c_str(), &st) == 0;
}

// Where the instance's directories stand; those of mounted hierarchies.
std::vector<std::string> Directories(const std::string& name) {
  std::vector<std::string> directories;
  for (const CgroupHierarchy& hierarchy : Hierarchies()) {
    if (!hierarchy.base_directory.empty()) {
      directories.push_back(hierarchy.base_directory + "/" + name);
    }
  }
  return directories;
}

// A process that sits in `directories` and ends only when it is killed.
pid_t StartSleeperIn(const std::vector<std::string>& directories) {
  const pid_t pid = fork();
  if (pid == 0) {
    // As after an exec: the locks stay with their owner. Nor must a sleeper
    // that a failed test forgets hold the test's output open.
    close_range(0, ~0U, 0);
    for (const std::string& directory : directories) {
      if (!WriteControlAt(AT_FDCWD, directory + "/cgroup.procs", "0").ok()) {
        _exit(1);
      }
    }
    for (;;) pause();
  }
  // Until it is in all of them.
  for (int i = 0; i < 1000; ++i) {
    const auto text =
        ReadFileAt(AT_FDCWD, directories.back() + "/cgroup.procs");
    if (text.ok() && !text->empty()) break;
    usleep(1000);
  }
  return pid;
}

// The instance's name of a child that made one and was killed while `in_it`
// sat in a sandbox of its.
std::string LeaveBehind(pid_t* in_it) {
  int fds[2];
  EXPECT_EQ(pipe(fds), 0);
  const pid_t maker = fork();
  if (maker == 0) {
    SweepReport report;
    auto instance = CgroupInstance::Create(Hierarchies(), &report);
    if (!instance.ok()) _exit(1);
    const auto& layout = instance->layout();
    std::vector<std::string> sandboxes;
    if (layout.unified_mounted()) {
      sandboxes.push_back(layout.unified_directory() + "/w0-1-0");
    }
    for (const auto& v1 : layout.v1()) {
      sandboxes.push_back(v1.directory() + "/w0-1-0");
    }
    for (const std::string& path : sandboxes) mkdir(path.c_str(), 0755);
    const pid_t sleeper = StartSleeperIn(sandboxes);
    const std::string message = absl::StrCat(sleeper, " ", instance->name());
    if (write(fds[1], message.data(), message.size()) < 0) _exit(1);
    for (;;) pause();
  }
  close(fds[1]);
  char buffer[256] = {};
  EXPECT_GT(read(fds[0], buffer, sizeof(buffer) - 1), 0);
  close(fds[0]);
  kill(maker, SIGKILL);
  waitpid(maker, nullptr, 0);
  char* rest = nullptr;
  *in_it = static_cast<pid_t>(strtol(buffer, &rest, 10));
  return *rest == ' ' ? rest + 1 : "";
}

class CgroupInstanceTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT("root", geteuid() == 0);
    const auto parent = CgroupParentForTests();
    ASSERT_TRUE(parent.ok()) << parent.status();
  }
};

TEST_F(CgroupInstanceTest, MakesALayoutAndTakesItAway) {
  SweepReport report;
  auto instance = CgroupInstance::Create(Hierarchies(), &report);
  ASSERT_TRUE(instance.ok()) << instance.status();
  const auto& layout = instance->layout();
  const std::vector<std::string> directories = Directories(instance->name());
  ASSERT_FALSE(directories.empty());
  for (const std::string& path : directories) EXPECT_TRUE(Exists(path)) << path;
  std::vector<std::string> controllers(layout.unified_controllers().begin(),
                                       layout.unified_controllers().end());
  for (const auto& v1 : layout.v1()) {
    controllers.push_back(v1.controller());
    EXPECT_TRUE(Exists(v1.directory() + "/tasks")) << v1.directory();
  }
  EXPECT_THAT(controllers, Contains("memory"));
  EXPECT_THAT(controllers, Contains("pids"));
  if (layout.unified_mounted()) {
    EXPECT_TRUE(Exists(layout.unified_directory() + "/cgroup.procs"));
    // A sandbox's group there has the controllers' files.
    const std::string sandbox = layout.unified_directory() + "/w0-1-0";
    ASSERT_EQ(mkdir(sandbox.c_str(), 0755), 0);
    for (const auto& name : layout.unified_controllers()) {
      EXPECT_TRUE(Exists(absl::StrCat(sandbox, "/", name,
                                      name == "cpuset" ? ".cpus" : ".max")) ||
                  name == "io")
          << name;
    }
  }
  const absl::Status removed = instance->Remove();
  EXPECT_TRUE(removed.ok()) << removed;
  for (const std::string& path : directories) {
    EXPECT_FALSE(Exists(path)) << path;
  }
}

TEST_F(CgroupInstanceTest, SweepsWhatAKilledPredecessorLeft) {
  pid_t sleeper = 0;
  const std::string name = LeaveBehind(&sleeper);
  const std::vector<std::string> left = Directories(name);
  ASSERT_FALSE(left.empty());
  for (const std::string& path : left) ASSERT_TRUE(Exists(path)) << path;
  ASSERT_EQ(kill(sleeper, 0), 0);
  SweepReport report;
  auto instance = CgroupInstance::Create(Hierarchies(), &report);
  ASSERT_TRUE(instance.ok()) << instance.status();
  // There may be other leftovers on this host.
  EXPECT_GE(report.removed, static_cast<int>(left.size()));
  EXPECT_TRUE(report.problems.empty()) << report.problems[0];
  for (const std::string& path : left) EXPECT_FALSE(Exists(path)) << path;
  EXPECT_TRUE(instance->Remove().ok());
}

TEST_F(CgroupInstanceTest, LeavesALivingOneAlone) {
  SweepReport before, report;
  const std::vector<CgroupHierarchy> hierarchies = Hierarchies();
  auto first = CgroupInstance::Create(hierarchies, &before);
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = CgroupInstance::Create(hierarchies, &report);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(report.removed, 0);
  EXPECT_NE(first->name(), second->name());
  for (const std::string& path : Directories(first->name())) {
    EXPECT_TRUE(Exists(path)) << path;
  }
  EXPECT_TRUE(first->Remove().ok());
  const absl::Status removed = second->Remove();
  EXPECT_TRUE(removed.ok()) << removed;
}

TEST_F(CgroupInstanceTest, SweepsNothingOfOthers) {
  const std::vector<CgroupHierarchy> hierarchies = Hierarchies();
  const std::string other =
      hierarchies.back().base_directory + "/paddock-operators";
  ASSERT_EQ(mkdir(other.c_str(), 0755), 0);
  SweepReport report;
  auto instance = CgroupInstance::Create(hierarchies, &report);
  ASSERT_TRUE(instance.ok()) << instance.status();
  EXPECT_TRUE(Exists(other));
  EXPECT_TRUE(instance->Remove().ok());
  EXPECT_EQ(rmdir(other.c_str()), 0);
}

TEST_F(CgroupInstanceTest, RemovesSandboxesOfOneWorkerOnly) {
  SweepReport report;
  auto instance = CgroupInstance::Create(Hierarchies(), &report);
  ASSERT_TRUE(instance.ok()) << instance.status();
  const auto& layout = instance->layout();
  std::vector<std::string> mine, others;
  auto add = [&](const std::string& directory) {
    mine.push_back(directory + "/w1-1-7");
    others.push_back(directory + "/w1-10-7");
    ASSERT_EQ(mkdir(mine.back().c_str(), 0755), 0);
    ASSERT_EQ(mkdir(others.back().c_str(), 0755), 0);
  };
  if (layout.unified_mounted()) add(layout.unified_directory());
  for (const auto& v1 : layout.v1()) add(v1.directory());
  const pid_t sleeper = StartSleeperIn(mine);
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {
    gone = instance->RemoveSandboxes("w1-1-");
    usleep(2000);
  }
  EXPECT_TRUE(gone);
  for (const std::string& path : mine) EXPECT_FALSE(Exists(path)) << path;
  for (const std::string& path : others) EXPECT_TRUE(Exists(path)) << path;
  int status = 0;
  EXPECT_EQ(waitpid(sleeper, &status, 0), sleeper);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(instance->Remove().ok());
}

// This process's group in the unified hierarchy.
std::string OwnUnifiedPath() {
  const auto found = FindOwnCgroupHierarchies("");
  return found.ok() ? (*found)[0].own_path : "";
}

TEST_F(CgroupInstanceTest, OnV2ItsMakerMovesToALeafAndBack) {
  const FreshGroup group;
  SKIP_WITHOUT("unified_controllers", !group.path().empty());
  const pid_t maker = fork();
  if (maker == 0) {
    // In a base of its own, as systemd starts a unit with Delegate=yes.
    const std::string procs = group.directory() + "/cgroup.procs";
    if (!WriteControlAt(AT_FDCWD, procs, "0").ok()) _exit(1);
    SweepReport report;
    auto found = FindOwnCgroupHierarchies("");
    auto instance = CgroupInstance::Create(*found, &report);
    if (!instance.ok()) _exit(2);
    if (OwnUnifiedPath() !=
        absl::StrCat(group.path(), "/", instance->name(), "/daemon")) {
      _exit(3);
    }
    if (!instance->Remove().ok()) _exit(4);
    _exit(OwnUnifiedPath() == group.path() ? 0 : 5);
  }
  int status = 0;
  waitpid(maker, &status, 0);
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

TEST_F(CgroupInstanceTest, OnV2CompanyInTheBaseIsNamed) {
  const FreshGroup group;
  SKIP_WITHOUT("unified_controllers", !group.path().empty());
  const pid_t company = StartSleeperIn({group.directory()});
  SweepReport report;
  auto instance =
      CgroupInstance::Create(*FindOwnCgroupHierarchies(group.path()), &report);
  kill(company, SIGKILL);
  waitpid(company, nullptr, 0);
  EXPECT_EQ(instance.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(instance.status().message()),
              testing::HasSubstr(absl::StrCat("(pid ", company, ")")));
}

std::vector<std::string> GroupsIn(const std::string& directory) {
  const auto fd = OpenAt(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
  return fd.ok() ? ChildGroups(fd->get()).value_or(std::vector<std::string>())
                 : std::vector<std::string>();
}

TEST_F(CgroupInstanceTest, MissingControllerIsNamedAndNothingStays) {
  const FreshGroup group;
  std::vector<CgroupHierarchy> without;
  if (group.path().empty()) {
    for (const CgroupHierarchy& hierarchy : Hierarchies()) {
      if (!hierarchy.unified && hierarchy.controllers[0] == "pids") continue;
      without.push_back(hierarchy);
    }
  } else {
    // A parent that gives its children memory alone.
    ASSERT_TRUE(WriteControlAt(AT_FDCWD,
                               group.directory() + "/cgroup.subtree_control",
                               "+memory")
                    .ok());
    const std::string bare = group.directory() + "/bare";
    ASSERT_EQ(mkdir(bare.c_str(), 0755), 0);
    without = *FindOwnCgroupHierarchies(group.path() + "/bare");
  }
  const auto before = GroupsIn(without.back().base_directory);
  SweepReport report;
  auto instance = CgroupInstance::Create(without, &report);
  EXPECT_EQ(instance.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(instance.status().message()),
              testing::HasSubstr("the pids controller"));
  EXPECT_EQ(before, GroupsIn(without.back().base_directory));
  if (!group.path().empty()) rmdir((group.directory() + "/bare").c_str());
}

}  // namespace
}  // namespace paddock
