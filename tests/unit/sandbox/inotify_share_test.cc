#include "worker/sandbox/inotify_share.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "worker/base/file_util.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

class InotifyShareTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/paddock.XXXXXX";
    root_ = mkdtemp(pattern.data());
    Write("fs/inotify/max_user_instances", "128\n");
    Write("fs/inotify/max_user_watches", "8192\n");
    Write("user/max_inotify_instances", "2147483647\n");
    Write("user/max_inotify_watches", "2147483647\n");
    absl::StatusOr<UniqueFd> sysctl =
        OpenAt(AT_FDCWD, root_, O_PATH | O_DIRECTORY);
    ASSERT_TRUE(sysctl.ok());
    sysctl_ = *std::move(sysctl);
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& file, const std::string& text) {
    const std::filesystem::path path = root_ + "/" + file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  std::string root_;
  UniqueFd sysctl_;
};

TEST_F(InotifyShareTest, LeavesAPartForTheUser) {
  const auto share = ShareInotify(sysctl_.get(), 2);
  ASSERT_TRUE(share.ok());
  EXPECT_EQ(share->instances, "42");
  EXPECT_EQ(share->watches, "2730");
}

TEST_F(InotifyShareTest, TheLowerLimitCounts) {
  Write("user/max_inotify_instances", "30\n");
  const auto share = ShareInotify(sysctl_.get(), 2);
  ASSERT_TRUE(share.ok());
  EXPECT_EQ(share->instances, "10");
  EXPECT_EQ(share->watches, "2730");
}

TEST_F(InotifyShareTest, IsAtLeastOne) {
  const auto share = ShareInotify(sysctl_.get(), 128);
  ASSERT_TRUE(share.ok());
  EXPECT_EQ(share->instances, "1");
  EXPECT_EQ(ShareInotify(sysctl_.get(), 127)->instances, "1");
  EXPECT_EQ(ShareInotify(sysctl_.get(), 63)->instances, "2");
}

TEST_F(InotifyShareTest, IsNoneWhereTheKernelHasNoInotify) {
  std::filesystem::remove_all(root_ + "/fs");
  const auto share = ShareInotify(sysctl_.get(), 2);
  ASSERT_TRUE(share.ok());
  EXPECT_EQ(share->instances, "");
  EXPECT_EQ(share->watches, "");
}

TEST_F(InotifyShareTest, RefusesWhatIsNoNumber) {
  Write("fs/inotify/max_user_watches", "many\n");
  EXPECT_EQ(ShareInotify(sysctl_.get(), 2).status().message(),
            "fs/inotify/max_user_watches holds 'many\n'");
}

}  // namespace
}  // namespace paddock
