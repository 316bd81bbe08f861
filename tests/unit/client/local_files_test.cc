#include "client/cli/local_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>

namespace paddock {
namespace {

using ::testing::HasSubstr;

class LocalFilesTest : public ::testing::Test {
 protected:
  LocalFilesTest() {
    std::string pattern = ::testing::TempDir() + "/paddock.XXXXXX";
    directory_ = mkdtemp(pattern.data());
    umask(022);
  }
  ~LocalFilesTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const {
    return directory_ + "/" + name;
  }
  mode_t Mode(const std::string& name) const {
    struct stat info;
    EXPECT_EQ(lstat(Path(name).c_str(), &info), 0);
    return info.st_mode & 07777;
  }

  std::string directory_;
};

TEST_F(LocalFilesTest, WhatIsWrittenIsRead) {
  const std::string data("\0\xff\n", 3);
  ASSERT_TRUE(WriteLocalFile(Path("a"), data, false).ok());
  ASSERT_TRUE(WriteLocalFile(Path("b"), "", true).ok());
  EXPECT_EQ(Mode("a"), 0644u);
  EXPECT_EQ(Mode("b"), 0755u);
  const LocalFile a = ReadLocalFile(Path("a")).value();
  EXPECT_EQ(a.data, data);
  EXPECT_FALSE(a.executable);
  EXPECT_TRUE(ReadLocalFile(Path("b")).value().executable);
}

TEST_F(LocalFilesTest, AFileIsReplacedAndNothingElseLeft) {
  ASSERT_TRUE(WriteLocalFile(Path("a"), "a long first version", true).ok());
  ASSERT_TRUE(WriteLocalFile(Path("a"), "new", false).ok());
  EXPECT_EQ(ReadLocalFile(Path("a")).value().data, "new");
  EXPECT_EQ(Mode("a"), 0644u);
  const std::filesystem::directory_iterator files(directory_);
  EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST_F(LocalFilesTest, ErrorsNameThePath) {
  EXPECT_THAT(std::string(ReadLocalFile(Path("none")).status().message()),
              HasSubstr(Path("none")));
  EXPECT_EQ(ReadLocalFile(directory_).status().code(),
            absl::StatusCode::kFailedPrecondition);
  const absl::Status status = WriteLocalFile(Path("no/such"), "x", false);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path("no/such")));
  EXPECT_FALSE(WriteLocalFile(directory_, "x", false).ok());
}

TEST_F(LocalFilesTest, APipeIsReadToItsEndAlsoWhenItDoesNotBlock) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const std::string data(300000, 'x');
  std::thread writer([&] {
    EXPECT_TRUE(WriteDescriptor(ends[1], "pipe", data).ok());
    close(ends[1]);
  });
  EXPECT_EQ(ReadDescriptor(ends[0], "pipe").value(), data);
  writer.join();
  close(ends[0]);
}

}  // namespace
}  // namespace paddock
