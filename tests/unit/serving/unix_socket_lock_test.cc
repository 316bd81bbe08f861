#include "server/api/unix_socket_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace paddock {
namespace {

using testing::HasSubstr;

class UnixSocketLockTest : public testing::Test {
 protected:
  UnixSocketLockTest() {
    char name[] = "/tmp/paddock-lock-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/p.sock";
  }
  ~UnixSocketLockTest() override { std::filesystem::remove_all(directory_); }
  UniqueFd Bind() const {
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(
        bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)),
        0);
    return fd;
  }
  std::string directory_;
  std::string path_;
};

TEST_F(UnixSocketLockTest, TheSecondIsRefusedAndTheFirstUndisturbed) {
  const auto first = UnixSocketLock::Take(path_);
  ASSERT_TRUE(first.ok()) << first.status();
  const UniqueFd socket = Bind();
  const auto second = UnixSocketLock::Take(path_);
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(path_));
  EXPECT_TRUE(std::filesystem::is_socket(path_));
}

TEST_F(UnixSocketLockTest, TheLockGoesWithItsOwner) {
  { const auto first = UnixSocketLock::Take(path_); }
  EXPECT_TRUE(UnixSocketLock::Take(path_).ok());
}

TEST_F(UnixSocketLockTest, AStaleSocketIsRemoved) {
  Bind();
  ASSERT_TRUE(std::filesystem::is_socket(path_));
  EXPECT_TRUE(UnixSocketLock::Take(path_).ok());
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixSocketLockTest, AFileThatIsNoSocketStays) {
  std::ofstream(path_) << "precious";
  const auto lock = UnixSocketLock::Take(path_);
  EXPECT_TRUE(absl::IsFailedPrecondition(lock.status()));
  EXPECT_TRUE(std::filesystem::is_regular_file(path_));
}

TEST_F(UnixSocketLockTest, APathThatIsTooLong) {
  const auto lock = UnixSocketLock::Take("/tmp/" + std::string(120, 'x'));
  EXPECT_TRUE(absl::IsFailedPrecondition(lock.status()));
}

}  // namespace
}  // namespace paddock
