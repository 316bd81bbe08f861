#include "worker/base/file_util.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <thread>

#include "worker/base/socket.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

// An empty directory, gone with its files at the end of the test.
class FileUtilTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = ::testing::TempDir() + "paddock-XXXXXX";
    ASSERT_NE(mkdtemp(path_.data()), nullptr);
    directory_ = UniqueFd(open(path_.c_str(), O_PATH | O_CLOEXEC));
    ASSERT_TRUE(directory_.valid());
  }
  void TearDown() override {
    unlinkat(directory_.get(), "file", 0);
    rmdir(path_.c_str());
  }
  void MakeFile(absl::string_view contents) {
    const auto fd =
        OpenAt(directory_.get(), "file", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT_TRUE(fd.ok()) << fd.status();
    ASSERT_TRUE(WriteAll(fd->get(), contents).ok());
  }
  std::string path_;
  UniqueFd directory_;
};

TEST_F(FileUtilTest, OpensCloseOnExecWithTheModeGiven) {
  const mode_t mask = umask(0);
  const auto fd = OpenAt(directory_.get(), "file", O_WRONLY | O_CREAT, 0640);
  umask(mask);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(fcntl(fd->get(), F_GETFD), FD_CLOEXEC);
  struct stat st = {};
  ASSERT_EQ(fstat(fd->get(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0640u);
}

TEST_F(FileUtilTest, OpenNamesWhatFailed) {
  const auto fd = OpenAt(directory_.get(), "missing", O_RDONLY);
  EXPECT_EQ(ErrnoOf(fd.status()), ENOENT);
  EXPECT_THAT(std::string(fd.status().message()), HasSubstr("missing"));
}

TEST_F(FileUtilTest, ReadsUpToTheBound) {
  const std::string contents(40000, 'x');  // more than one read
  MakeFile(contents);
  EXPECT_EQ(ReadFileAt(directory_.get(), "file", 40000).value(), contents);
  EXPECT_EQ(ReadFileAt(directory_.get(), "file", 39999).status().code(),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrnoOf(ReadFileAt(directory_.get(), "other").status()), ENOENT);
  MakeFile("");
  EXPECT_EQ(ReadFileAt(directory_.get(), "file", 0).value(), "");
}

TEST_F(FileUtilTest, ReadingADirectoryIsAnError) {
  EXPECT_EQ(ErrnoOf(ReadFileAt(directory_.get(), ".").status()), EISDIR);
}

TEST_F(FileUtilTest, ControlFilesAreNeverMade) {
  EXPECT_EQ(ErrnoOf(WriteControlAt(directory_.get(), "file", "1")), ENOENT);
  MakeFile("");
  EXPECT_TRUE(WriteControlAt(directory_.get(), "file", "max").ok());
  EXPECT_EQ(ReadFileAt(directory_.get(), "file").value(), "max");
}

TEST_F(FileUtilTest, ControlErrorsSayWhatWasWritten) {
  const absl::Status status = WriteControlAt(AT_FDCWD, "/dev/full", "42");
  EXPECT_EQ(ErrnoOf(status), ENOSPC);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'42' to /dev/full"));
}

TEST(WriteAllTest, WritesMoreThanAPipeHolds) {
  absl::StatusOr<PipeEnds> pipe = MakePipe();
  ASSERT_TRUE(pipe.ok());
  fcntl(pipe->reader.get(), F_SETFL, 0);
  const std::string sent(1 << 20, 'x');
  std::string received;
  std::thread reader([&] {
    char buffer[4096];
    for (ssize_t n;
         (n = read(pipe->reader.get(), buffer, sizeof(buffer))) > 0;) {
      received.append(buffer, n);
    }
  });
  EXPECT_TRUE(WriteAll(pipe->writer.get(), sent).ok());
  pipe->writer.Reset();
  reader.join();
  EXPECT_EQ(received, sent);
}

TEST(WriteAllTest, FailsWhereNothingFits) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(ErrnoOf(WriteAll(full.get(), "x")), ENOSPC);
  EXPECT_TRUE(WriteAll(full.get(), "").ok());
}

TEST(SealedMemfdTest, HoldsTheBytesForEver) {
  const std::string data("a\0b", 3);
  const absl::StatusOr<UniqueFd> fd = SealedMemfd("test", data);
  ASSERT_TRUE(fd.ok()) << fd.status();
  EXPECT_EQ(ReadSealedMemfd(fd->get(), 3).value(), data);
  EXPECT_EQ(ReadSealedMemfd(fd->get(), 3).value(), data) << "offset is unmoved";

  EXPECT_EQ(pwrite(fd->get(), "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(ftruncate(fd->get(), 2), -1);
  EXPECT_EQ(ftruncate(fd->get(), 4), -1);
  EXPECT_EQ(fcntl(fd->get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
  EXPECT_EQ(fcntl(fd->get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(lseek(fd->get(), 0, SEEK_CUR), 0);
}

TEST(SealedMemfdTest, ReadingIsBounded) {
  const absl::StatusOr<UniqueFd> fd = SealedMemfd("test", "12345");
  ASSERT_TRUE(fd.ok());
  EXPECT_EQ(ReadSealedMemfd(fd->get(), 4).status().code(),
            StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadSealedMemfd(fd->get(), 5).value(), "12345");
}

TEST(SealedMemfdTest, NothingElseIsRead) {
  const UniqueFd writable(memfd_create("test", MFD_ALLOW_SEALING));
  EXPECT_EQ(ReadSealedMemfd(writable.get(), 10).status().code(),
            StatusCode::kInvalidArgument);
  const UniqueFd device(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(ReadSealedMemfd(device.get(), 10).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadSealedMemfd(-1, 10).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace paddock
