#include "server/supervisor/cgroup_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace paddock {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kUnifiedMount[] =
    "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 "
    "rw,nsdelegate\n";

CgroupHierarchy Find(const std::string& cgroup, const std::string& mounts,
                     size_t index, const std::string& parent = "") {
  const auto found = FindCgroupHierarchies(cgroup, mounts, parent);
  EXPECT_TRUE(found.ok()) << found.status();
  return found.ok() && index < found->size() ? (*found)[index]
                                             : CgroupHierarchy();
}

TEST(CgroupLayout, PureV2) {
  const auto found =
      FindCgroupHierarchies("0::/system.slice/p.service\n", kUnifiedMount, "");
  ASSERT_TRUE(found.ok());
  ASSERT_THAT(*found, SizeIs(1));
  EXPECT_TRUE((*found)[0].unified);
  EXPECT_EQ((*found)[0].base_path, "/system.slice/p.service");
  EXPECT_EQ((*found)[0].base_directory,
            "/sys/fs/cgroup/system.slice/p.service");
}

TEST(CgroupLayout, RootGroupIsTheMountItself) {
  EXPECT_EQ(Find("0::/\n", kUnifiedMount, 0).base_directory, "/sys/fs/cgroup");
}

TEST(CgroupLayout, HybridTakesUsedControllersOnly) {
  const auto found = FindCgroupHierarchies(
      "9:name=systemd:/\n8:pids:/a\n5:freezer:/\n4:cpu,cpuacct:/b\n0::/c\n",
      "1 0 0:1 / /m/pids rw - cgroup cgroup rw,pids\n"
      "2 0 0:2 / /m/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
      "3 0 0:3 / /m/freezer rw - cgroup cgroup rw,freezer\n"
      "4 0 0:4 / /m/unified rw - cgroup2 cgroup2 rw\n",
      "");
  ASSERT_TRUE(found.ok());
  ASSERT_THAT(*found, SizeIs(3));
  EXPECT_EQ((*found)[0].base_directory, "/m/unified/c");
  EXPECT_THAT((*found)[1].controllers, ElementsAre("pids"));
  EXPECT_EQ((*found)[1].base_directory, "/m/pids/a");
  EXPECT_THAT((*found)[2].controllers, ElementsAre("cpu", "cpuacct"));
  EXPECT_EQ((*found)[2].base_directory, "/m/cpu/b");
}

TEST(CgroupLayout, UnifiedNobodyMountedHasNoDirectory) {
  // Without its line, too: the kernel leaves it out until the first mount.
  const CgroupHierarchy unified =
      Find("1:memory:/x\n", "1 0 0:1 / /m rw - cgroup cgroup rw,memory\n", 0);
  EXPECT_TRUE(unified.unified);
  EXPECT_EQ(unified.base_path, "/");
  EXPECT_THAT(unified.base_directory, IsEmpty());
}

TEST(CgroupLayout, MountThatShowsOnlyAPart) {
  // A container without a cgroup namespace: the mount's root is its group.
  const std::string mounts =
      "1 0 0:1 /docker/ab /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(Find("0::/docker/ab\n", mounts, 0).base_directory,
            "/sys/fs/cgroup");
  EXPECT_EQ(Find("0::/docker/ab/in\n", mounts, 0).base_directory,
            "/sys/fs/cgroup/in");
  EXPECT_THAT(Find("0::/docker/abc\n", mounts, 0).base_directory, IsEmpty());
  EXPECT_THAT(Find("0::/other\n", mounts, 0).base_directory, IsEmpty());
}

TEST(CgroupLayout, AboveTheNamespacesRootIsNowhere) {
  EXPECT_THAT(Find("0::/../other\n", kUnifiedMount, 0).base_directory,
              IsEmpty());
}

TEST(CgroupLayout, WritableMountWins) {
  const std::string mounts = absl::StrCat(
      "1 0 0:1 / /ro ro - cgroup2 cgroup2 rw\n"
      "2 0 0:1 / /rw rw - cgroup2 cgroup2 rw\n"
      "3 0 0:1 / /later rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(Find("0::/a\n", mounts, 0).base_directory, "/rw/a");
}

TEST(CgroupLayout, ParentIsTakenInEachHierarchy) {
  const CgroupHierarchy found = Find("0::/a\n", kUnifiedMount, 0, "/p/q/");
  EXPECT_EQ(found.own_directory, "/sys/fs/cgroup/a");
  EXPECT_EQ(found.base_path, "/p/q");
  EXPECT_EQ(found.base_directory, "/sys/fs/cgroup/p/q");
}

TEST(CgroupLayout, EscapedMountPoint) {
  EXPECT_EQ(Find("0::/a\n", "1 0 0:1 / /my\\040dir rw - cgroup2 x rw\n", 0)
                .base_directory,
            "/my dir/a");
}

TEST(CgroupLayout, RemovedGroupIsRefused) {
  const auto found =
      FindCgroupHierarchies("0::/gone (deleted)\n", kUnifiedMount, "");
  EXPECT_EQ(found.status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace paddock
