// On the real hierarchies of this host, as cgroup_instance_test.cc.
#include "server/supervisor/second_line.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "server/supervisor/cgroup_instance.h"
#include "tests/support/skip.h"
#include "tests/unit/supervisor/cgroup_parent.h"
#include "worker/base/file_util.h"

namespace paddock {
namespace {

using testing::HasSubstr;

TEST(CorePattern, APipeIsWarnedOf) {
  EXPECT_EQ(CorePatternWarning("core\n"), "");
  EXPECT_EQ(CorePatternWarning("/var/crash/core.%p\n"), "");
  EXPECT_EQ(CorePatternWarning(""), "");
  EXPECT_THAT(CorePatternWarning("|/usr/lib/helper %P\n"),
              HasSubstr("(/usr/lib/helper %P)"));
  EXPECT_THAT(CorePatternWarning("@/run/coredump.socket\n"),
              HasSubstr("(@/run/coredump.socket)"));
}

TEST(CorePattern, APipeNeedsALimitThatKeepsItsHelperAway) {
  EXPECT_TRUE(CheckCoreLimit("core\n", 0).ok());
  EXPECT_TRUE(CheckCoreLimit("|/usr/lib/helper %P\n", 1).ok());
  const absl::Status refused = CheckCoreLimit("|/usr/lib/helper %P\n", 0);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("LimitCORE=1"));
  EXPECT_THAT(refused.message(), HasSubstr("(|/usr/lib/helper %P)"));
}

class SecondLineTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT("root", geteuid() == 0);
    const auto parent = CgroupParentForTests();
    ASSERT_TRUE(parent.ok()) << parent.status();
    const auto hierarchies = FindOwnCgroupHierarchies(*parent);
    ASSERT_TRUE(hierarchies.ok()) << hierarchies.status();
    SweepReport report;
    auto instance = CgroupInstance::Create(*hierarchies, &report);
    ASSERT_TRUE(instance.ok()) << instance.status();
    instance_ = std::make_unique<CgroupInstance>(*std::move(instance));
  }
  void TearDown() override {
    if (instance_ == nullptr) return;
    const absl::Status removed = instance_->Remove();
    EXPECT_TRUE(removed.ok()) << removed;
  }

  // Empty where the host has no such hierarchy of v1.
  std::string V1Directory(const std::string& controller) const {
    for (const auto& hierarchy : instance_->layout().v1()) {
      if (hierarchy.controller() == controller) return hierarchy.directory();
    }
    return "";
  }

  std::unique_ptr<CgroupInstance> instance_;
};

TEST_F(SecondLineTest, EveryHugePageLimitIsZero) {
  SKIP_WITHOUT("hugetlb_controller",
               instance_->layout().huge_pages_forbidden());
  const std::string v1 = V1Directory("hugetlb");
  const std::string directory =
      v1.empty() ? instance_->layout().unified_directory() : v1;
  int limits = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    const bool is_limit =
        name.starts_with("hugetlb.") &&
        (name.ends_with(".max") || name.ends_with(".limit_in_bytes"));
    if (!is_limit) continue;
    ++limits;
    EXPECT_EQ(ReadFileAt(AT_FDCWD, entry.path()).value_or(""), "0\n") << name;
  }
  EXPECT_GT(limits, 0);
}

// The errno of opening `device` in a child that has entered `group`, if any.
int OpenDeviceIn(const std::string& group, const char* device) {
  const pid_t child = fork();
  if (child == 0) {
    if (!group.empty() &&
        !WriteControlAt(AT_FDCWD, group + "/tasks", "0").ok()) {
      _exit(255);
    }
    _exit(open(device, O_RDONLY | O_NONBLOCK | O_CLOEXEC) < 0 ? errno : 0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WEXITSTATUS(status);
}

TEST_F(SecondLineTest, OnlyTheDevicesOfASandboxCanBeOpened) {
  const std::string group = V1Directory("devices");
  SKIP_WITHOUT("v1_devices", !group.empty());
  for (const char* device :
       {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
    EXPECT_EQ(OpenDeviceIn(group, device), 0) << device;
  }
  ASSERT_EQ(OpenDeviceIn("", "/dev/ptmx"), 0) << "the control";
  EXPECT_EQ(OpenDeviceIn(group, "/dev/ptmx"), EPERM);
}

}  // namespace
}  // namespace paddock
