#include "worker/base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <utility>

namespace paddock {
namespace {

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }
int NewDescriptor() { return eventfd(0, EFD_CLOEXEC); }

TEST(UniqueFdTest, ClosesWhatItOwns) {
  const int fd = NewDescriptor();
  {
    const UniqueFd owner(fd);
    EXPECT_EQ(owner.get(), fd);
    EXPECT_TRUE(owner.valid());
    EXPECT_TRUE(IsOpen(fd));
  }
  EXPECT_FALSE(IsOpen(fd));
}

TEST(UniqueFdTest, EveryErrorIsTheSameNothing) {
  EXPECT_FALSE(UniqueFd().valid());
  EXPECT_FALSE(UniqueFd(-1).valid());
  EXPECT_EQ(UniqueFd(-5).get(), -1);
}

TEST(UniqueFdTest, MovesLeaveNothingBehind) {
  const int fd = NewDescriptor();
  UniqueFd first(fd);
  UniqueFd second(std::move(first));
  EXPECT_FALSE(first.valid());  // NOLINT: that is what is tested
  EXPECT_EQ(second.get(), fd);
  EXPECT_TRUE(IsOpen(fd));
}

TEST(UniqueFdTest, AssignmentClosesTheOldOne) {
  const int old = NewDescriptor();
  const int fd = NewDescriptor();
  UniqueFd owner(old);
  owner = UniqueFd(fd);
  EXPECT_FALSE(IsOpen(old));
  EXPECT_TRUE(IsOpen(fd));
  EXPECT_EQ(owner.get(), fd);
}

TEST(UniqueFdTest, AssignmentToItselfKeepsIt) {
  const int fd = NewDescriptor();
  UniqueFd owner(fd);
  UniqueFd& same = owner;
  owner = std::move(same);
  EXPECT_EQ(owner.get(), fd);
  EXPECT_TRUE(IsOpen(fd));
}

TEST(UniqueFdTest, ReleaseGivesItAway) {
  const int fd = NewDescriptor();
  {
    UniqueFd owner(fd);
    EXPECT_EQ(owner.Release(), fd);
    EXPECT_FALSE(owner.valid());
  }
  EXPECT_TRUE(IsOpen(fd));
  close(fd);
}

TEST(UniqueFdTest, ResetClosesAtOnce) {
  const int fd = NewDescriptor();
  UniqueFd owner(fd);
  owner.Reset();
  EXPECT_FALSE(IsOpen(fd));
  EXPECT_FALSE(owner.valid());
}

}  // namespace
}  // namespace paddock
