#include "worker/base/epoll_watches.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(EpollWatchesTest, AreReadFromTheKernel) {
  const absl::StatusOr<int64_t> watches = ReadEpollWatches(AT_FDCWD);
  ASSERT_TRUE(watches.ok()) << watches.status();
  EXPECT_GT(*watches, 0);
  const UniqueFd sysctl(open("/proc/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(*ReadEpollWatches(sysctl.get()), *watches);
  const UniqueFd other(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_FALSE(ReadEpollWatches(other.get()).ok());
}

TEST(EpollWatchesTest, MoreThanIsSafeIsWarnedOf) {
  EXPECT_EQ(EpollWarning(0), "");
  EXPECT_EQ(EpollWarning(kMostSafeEpollWatches), "");
  EXPECT_THAT(EpollWarning(kMostSafeEpollWatches + 1),
              AllOf(HasSubstr("fs.epoll.max_user_watches is 65537:"),
                    HasSubstr("stop a CPU for 26 ms"),
                    HasSubstr("fs.epoll.max_user_watches=65536 ")));
  EXPECT_THAT(EpollWarning(425000), HasSubstr("stop a CPU for 170 ms"));
}

}  // namespace
}  // namespace paddock
