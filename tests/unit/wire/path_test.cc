#include <gtest/gtest.h>

#include "worker/wire/process_check.h"

namespace paddock {
namespace {

TEST(NormalizePathTest, AbsoluteAndRelative) {
  EXPECT_EQ(NormalizePath("a"), "/work/a");
  EXPECT_EQ(NormalizePath("a/b"), "/work/a/b");
  EXPECT_EQ(NormalizePath("/a/b"), "/a/b");
  EXPECT_EQ(NormalizePath("/"), "/");
  EXPECT_EQ(NormalizePath("."), "/work");
}

TEST(NormalizePathTest, DropsEmptyAndDotComponents) {
  EXPECT_EQ(NormalizePath("./a/./b/."), "/work/a/b");
  EXPECT_EQ(NormalizePath("//a///b//"), "/a/b");
  EXPECT_EQ(NormalizePath("/./"), "/");
}

TEST(NormalizePathTest, DotsInNamesAreNames) {
  EXPECT_EQ(NormalizePath("..."), "/work/...");
  EXPECT_EQ(NormalizePath("..a/.b/c.."), "/work/..a/.b/c..");
}

TEST(NormalizePathTest, RefusesWhatCannotBe) {
  EXPECT_EQ(NormalizePath(""), "");
  for (const char* path :
       {"..", "../a", "a/..", "/..", "/a/../b", "a//..//b"}) {
    EXPECT_EQ(NormalizePath(path), "") << path;
  }
  EXPECT_EQ(NormalizePath(absl::string_view("a\0", 2)), "");
  EXPECT_EQ(NormalizePath(absl::string_view("\0", 1)), "");
}

TEST(NormalizePathTest, Lengths) {
  const std::string name(kMaxNameBytes, 'n');
  EXPECT_EQ(NormalizePath(name), "/work/" + name);
  EXPECT_EQ(NormalizePath(name + "n"), "");

  std::string path;
  while (path.size() < kMaxPathBytes) path += "/abc";
  ASSERT_EQ(path.size(), kMaxPathBytes);
  EXPECT_EQ(NormalizePath(path), path);
  EXPECT_EQ(NormalizePath(path + "d"), "");
  EXPECT_EQ(NormalizePath(path + "/./"), path) << "it counts in normal form";
  EXPECT_EQ(NormalizePath(std::string(1 << 20, '/')), "");
}

TEST(IsBelowWritableDirectoryTest, Edges) {
  for (const char* path : {"/work/a", "/tmp/a/b", "/dev/shm/a", "/work/.."}) {
    EXPECT_TRUE(IsBelowWritableDirectory(path)) << path;
  }
  for (const char* path : {"/work", "/work/", "/tmp", "/dev/shm", "/dev/shm/",
                           "/", "", "/workspace/a", "/dev/a", "/a/work/b"}) {
    EXPECT_FALSE(IsBelowWritableDirectory(path)) << path;
  }
}

}  // namespace
}  // namespace paddock
