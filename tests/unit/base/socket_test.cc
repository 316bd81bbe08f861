#include "worker/base/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

namespace paddock {
namespace {

using absl::StatusCode;

class SocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<SocketPair> pair = MakeSocketPair();
    ASSERT_TRUE(pair.ok()) << pair.status();
    pair_ = std::move(*pair);
  }
  int ours() const { return pair_.first.get(); }
  int theirs() const { return pair_.second.get(); }
  SocketPair pair_;
};

TEST_F(SocketTest, EndsAreCloseOnExec) {
  EXPECT_EQ(fcntl(ours(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(theirs(), F_GETFD), FD_CLOEXEC);
}

TEST_F(SocketTest, MessagesKeepTheirBounds) {
  ASSERT_TRUE(SendPacket(theirs(), "one").ok());
  ASSERT_TRUE(SendPacket(theirs(), absl::string_view("t\0wo", 4)).ok());
  EXPECT_EQ(ReceivePacket(ours(), 100)->data, "one");
  EXPECT_EQ(ReceivePacket(ours(), 100)->data, std::string("t\0wo", 4));
}

TEST_F(SocketTest, CutMessagesAreRefused) {
  ASSERT_TRUE(SendPacket(theirs(), "12345").ok());
  EXPECT_EQ(ReceivePacket(ours(), 5)->data, "12345");
  ASSERT_TRUE(SendPacket(theirs(), "123456").ok());
  EXPECT_EQ(ReceivePacket(ours(), 5).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(SocketTest, DescriptorsArriveCloseOnExec) {
  const UniqueFd sent(memfd_create("sent", 0));
  const std::vector<int> most(kMaxDescriptors, sent.get());
  ASSERT_TRUE(SendPacket(theirs(), "x", most).ok());
  const absl::StatusOr<Packet> packet = ReceivePacket(ours(), 1);
  ASSERT_TRUE(packet.ok()) << packet.status();
  ASSERT_EQ(packet->descriptors.size(), static_cast<size_t>(kMaxDescriptors));
  for (const UniqueFd& fd : packet->descriptors) {
    EXPECT_EQ(fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
  }
}

TEST_F(SocketTest, MoreDescriptorsThanAMessageHas) {
  const std::vector<int> too_many(kMaxDescriptors + 1, ours());
  EXPECT_EQ(SendPacket(theirs(), "x", too_many).code(), StatusCode::kInternal);
}

TEST_F(SocketTest, ADescriptorAloneIsAMessage) {
  ASSERT_TRUE(SendPacket(theirs(), "", {ours()}).ok());
  const absl::StatusOr<Packet> packet = ReceivePacket(ours(), 10);
  ASSERT_TRUE(packet.ok()) << packet.status();
  EXPECT_EQ(packet->data, "");
  EXPECT_EQ(packet->descriptors.size(), 1u);
}

TEST_F(SocketTest, EndOfFile) {
  pair_.second.Reset();
  EXPECT_EQ(ReceivePacket(ours(), 10).status().code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(SendPacket(ours(), "x").code(), StatusCode::kUnavailable)
      << "and no SIGPIPE";
}

TEST_F(SocketTest, NothingThere) {
  EXPECT_EQ(ReceivePacket(ours(), 10, MSG_DONTWAIT).status().code(),
            StatusCode::kDeadlineExceeded);
}

TEST_F(SocketTest, SenderIsKnownWhereAskedFor) {
  ASSERT_TRUE(SendPacket(theirs(), "x").ok());
  EXPECT_EQ(ReceivePacket(ours(), 10)->sender_pid, 0);
  const int on = 1;
  ASSERT_EQ(setsockopt(ours(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
  const UniqueFd sent(memfd_create("sent", 0));
  const std::vector<int> most(kMaxDescriptors, sent.get());
  ASSERT_TRUE(SendPacket(theirs(), "x", most).ok());
  const absl::StatusOr<Packet> packet = ReceivePacket(ours(), 10);
  ASSERT_TRUE(packet.ok()) << "credentials leave room: " << packet.status();
  EXPECT_EQ(packet->sender_pid, getpid());
  EXPECT_EQ(packet->descriptors.size(), static_cast<size_t>(kMaxDescriptors));
}

TEST(PipeTest, ReaderDoesNotBlockAndWriterDoes) {
  const absl::StatusOr<PipeEnds> pipe = MakePipe();
  ASSERT_TRUE(pipe.ok()) << pipe.status();
  EXPECT_NE(fcntl(pipe->reader.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(pipe->writer.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(pipe->reader.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(fcntl(pipe->writer.get(), F_GETFD), FD_CLOEXEC);
  char byte;
  EXPECT_EQ(read(pipe->reader.get(), &byte, 1), -1);
  EXPECT_EQ(write(pipe->writer.get(), "x", 1), 1);
  EXPECT_EQ(read(pipe->reader.get(), &byte, 1), 1);
}

}  // namespace
}  // namespace paddock
