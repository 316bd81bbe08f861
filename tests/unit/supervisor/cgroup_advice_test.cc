#include "server/supervisor/cgroup_advice.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "worker/base/file_util.h"

namespace paddock {
namespace {

using testing::HasSubstr;

constexpr char kFile[] = "memory.swap.max";

// In the place of a cgroup: a directory, with or without the file.
class CheckSwapIsLimitedTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "paddock-XXXXXX";
    ASSERT_NE(mkdtemp(path_.data()), nullptr);
    directory_ = OpenAt(AT_FDCWD, path_, O_RDONLY | O_DIRECTORY).value();
  }
  void TearDown() override {
    unlinkat(directory_.get(), kFile, 0);
    rmdir(path_.c_str());
  }

  void MakeFile() {
    ASSERT_TRUE(
        OpenAt(directory_.get(), kFile, O_WRONLY | O_CREAT | O_EXCL, 0644)
            .ok());
  }

  std::string path_;
  UniqueFd directory_;
};

TEST_F(CheckSwapIsLimitedTest, RefusesSwapThatNothingLimits) {
  for (const int64_t swap : {int64_t{1}, int64_t{-1}}) {
    const absl::Status refused =
        CheckSwapIsLimited(directory_.get(), kFile, swap);
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    for (const char* said : {kFile, "swapaccount=0", "swapoff(8)"}) {
      EXPECT_THAT(std::string(refused.message()), HasSubstr(said));
    }
  }
}

TEST_F(CheckSwapIsLimitedTest, TakesAHostWithoutSwap) {
  EXPECT_TRUE(CheckSwapIsLimited(directory_.get(), kFile, 0).ok());
}

TEST_F(CheckSwapIsLimitedTest, TakesSwapThatIsLimited) {
  MakeFile();
  EXPECT_TRUE(CheckSwapIsLimited(directory_.get(), kFile, 1 << 20).ok());
}

// The same figure, in kB, stands in /proc/meminfo.
TEST(HostSwapBytes, IsWhatTheKernelSays) {
  const std::string meminfo = ReadFileAt(AT_FDCWD, "/proc/meminfo").value();
  const std::string name = "SwapTotal:";
  const size_t at = meminfo.find(name);
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(HostSwapBytes(), std::stoll(meminfo.substr(at + name.size()))
                                 << 10);
}

}  // namespace
}  // namespace paddock
