#include "worker/base/directory_count.h"

#include <gtest/gtest.h>

namespace paddock {
namespace {

TEST(CountDirectoriesTest, EachOnce) {
  EXPECT_EQ(CountDirectories({}), 0);
  EXPECT_EQ(CountDirectories({"/f"}), 1);
  EXPECT_EQ(CountDirectories({"/work/a/b/f"}), 4);
  EXPECT_EQ(CountDirectories({"/work/a/b/f", "/work/a/b/g"}), 4);
  EXPECT_EQ(CountDirectories({"/work/a/f", "/work/b/f", "/tmp/a/f"}), 6);
  EXPECT_EQ(CountDirectories({"/work/"}), 2);
}

// '-' and '.' sort before '/'.
TEST(CountDirectoriesTest, NamesThatBeginAlike) {
  EXPECT_EQ(CountDirectories({"/a/x", "/a-b/y", "/a/z", "/a.c/y", "/ab/y"}), 5);
  EXPECT_EQ(CountDirectories({"/a/b", "/a/b-c", "/a/bd/e"}), 3);
}

}  // namespace
}  // namespace paddock
