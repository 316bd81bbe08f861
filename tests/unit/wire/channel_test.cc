#include "worker/wire/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "paddock/v1/process.pb.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"

namespace paddock {
namespace {

using absl::StatusCode;

class ChannelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<SocketPair> pair = MakeSocketPair();
    ASSERT_TRUE(pair.ok()) << pair.status();
    ours_ = std::move(pair->first);
    theirs_ = std::move(pair->second);
  }
  // What comes of bytes that the other side made up.
  StatusCode CodeOf(absl::string_view packet,
                    const std::vector<int>& descriptors = {}) {
    EXPECT_TRUE(SendPacket(theirs_.get(), packet, descriptors).ok());
    v1::Process message;
    std::vector<UniqueFd> received;
    return ReceiveMessage(ours_.get(), &message, &received, true).code();
  }
  UniqueFd ours_;
  UniqueFd theirs_;
};

// Encodes to `bytes` exactly.
v1::Source MessageOf(size_t bytes) {
  v1::Source message;
  message.set_data("");
  const size_t shortest = message.ByteSizeLong();
  message.set_data(std::string(bytes - shortest, 'x'));
  while (message.ByteSizeLong() > bytes) message.mutable_data()->pop_back();
  EXPECT_EQ(message.ByteSizeLong(), bytes);
  return message;
}

ino_t InodeOf(int fd) {
  struct stat st = {};
  EXPECT_EQ(fstat(fd, &st), 0);
  return st.st_ino;
}

int OpenDescriptors() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

TEST_F(ChannelTest, SmallMessagesAndTheEdgeToAMemfd) {
  for (const size_t bytes :
       {size_t{2}, kMaxInlineBytes, kMaxInlineBytes + 1, size_t{3} << 20}) {
    const v1::Source sent = MessageOf(bytes);
    ASSERT_TRUE(SendMessage(theirs_.get(), sent).ok());
    v1::Source received;
    const absl::Status status = ReceiveMessage(ours_.get(), &received);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(received.data(), sent.data());
  }
}

TEST_F(ChannelTest, LargeMessagesTravelSealed) {
  ASSERT_TRUE(SendMessage(theirs_.get(), MessageOf(kMaxInlineBytes + 1)).ok());
  const absl::StatusOr<Packet> packet = ReceivePacket(ours_.get(), 1 << 16);
  ASSERT_TRUE(packet.ok()) << packet.status();
  ASSERT_EQ(packet->data.size(), 1u);
  ASSERT_EQ(packet->descriptors.size(), 1u);
  EXPECT_TRUE(
      ReadSealedMemfd(packet->descriptors[0].get(), kMaxMessageBytes).ok());
}

TEST_F(ChannelTest, AnEmptyMessageIsAMessage) {
  ASSERT_TRUE(SendMessage(theirs_.get(), v1::Process()).ok());
  v1::Process received;
  received.add_argv("left over");
  ASSERT_TRUE(ReceiveMessage(ours_.get(), &received).ok());
  EXPECT_EQ(received.argv_size(), 0);
}

TEST_F(ChannelTest, DescriptorsStayInOrder) {
  const UniqueFd a(memfd_create("a", 0));
  const UniqueFd b(memfd_create("b", 0));
  for (const size_t bytes : {size_t{10}, kMaxInlineBytes + 1}) {
    ASSERT_TRUE(
        SendMessage(theirs_.get(), MessageOf(bytes), {a.get(), b.get()}).ok());
    v1::Source message;
    std::vector<UniqueFd> received;
    ASSERT_TRUE(ReceiveMessage(ours_.get(), &message, &received).ok());
    ASSERT_EQ(received.size(), 2u);
    EXPECT_EQ(InodeOf(received[0].get()), InodeOf(a.get()));
    EXPECT_EQ(InodeOf(received[1].get()), InodeOf(b.get()));
    EXPECT_EQ(fcntl(received[0].get(), F_GETFD), FD_CLOEXEC);
  }
}

TEST_F(ChannelTest, UnexpectedDescriptorsAreRefusedAndClosed) {
  const UniqueFd sent(memfd_create("sent", 0));
  const int before = OpenDescriptors();
  ASSERT_TRUE(SendMessage(theirs_.get(), v1::Process(), {sent.get()}).ok());
  v1::Process message;
  EXPECT_EQ(ReceiveMessage(ours_.get(), &message).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(ChannelTest, RefusesToSendWhatIsTooLarge) {
  EXPECT_EQ(SendMessage(theirs_.get(), MessageOf(kMaxMessageBytes + 1)).code(),
            StatusCode::kResourceExhausted);
  v1::Source message;
  EXPECT_EQ(ReceiveMessage(ours_.get(), &message, nullptr, true).code(),
            StatusCode::kDeadlineExceeded)
      << "nothing was sent";
}

TEST_F(ChannelTest, MalformedPackets) {
  EXPECT_EQ(CodeOf("I"), StatusCode::kOk) << "control";
  EXPECT_EQ(CodeOf(std::string("I\x12\x04true", 7)), StatusCode::kOk)
      << "control: argv";
  EXPECT_EQ(CodeOf("I\x12\x7f"), StatusCode::kInvalidArgument) << "truncated";
  EXPECT_EQ(CodeOf("I\xff\xff\xff"), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf("X"), StatusCode::kInvalidArgument) << "unknown framing";
  EXPECT_EQ(CodeOf("M"), StatusCode::kInvalidArgument) << "no memfd";
  const UniqueFd memfd(memfd_create("empty", 0));
  EXPECT_EQ(CodeOf("", {memfd.get()}), StatusCode::kInvalidArgument);
}

TEST_F(ChannelTest, OversizedPacketsAreRefused) {
  EXPECT_EQ(CodeOf("I" + std::string(kMaxInlineBytes + 1, '\0')),
            StatusCode::kInvalidArgument);
}

TEST_F(ChannelTest, TextIsUtf8) {
  // proto3: a string field that is not, is not a message.
  EXPECT_EQ(CodeOf("I\x12\x02\xc3\xa4"), StatusCode::kOk);
  EXPECT_EQ(CodeOf("I\x12\x02\xc3\x28"), StatusCode::kInvalidArgument);
}

TEST_F(ChannelTest, MemfdsMustBeSealed) {
  const absl::StatusOr<UniqueFd> sealed = SealedMemfd("sealed", "\x12\x01x");
  ASSERT_TRUE(sealed.ok());
  EXPECT_EQ(CodeOf("M", {sealed->get()}), StatusCode::kOk) << "control";

  const UniqueFd open(memfd_create("open", MFD_ALLOW_SEALING));
  EXPECT_EQ(CodeOf("M", {open.get()}), StatusCode::kInvalidArgument);
  const int all =
      F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
  for (const int missing :
       {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_FUTURE_WRITE}) {
    const UniqueFd almost(memfd_create("almost", MFD_ALLOW_SEALING));
    ASSERT_EQ(fcntl(almost.get(), F_ADD_SEALS, all & ~missing), 0);
    EXPECT_EQ(CodeOf("M", {almost.get()}), StatusCode::kInvalidArgument)
        << missing;
  }
}

TEST_F(ChannelTest, MemfdsMustBeMemfds) {
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(CodeOf("M", {null.get()}), StatusCode::kInvalidArgument);
  const absl::StatusOr<PipeEnds> pipe = MakePipe();
  ASSERT_TRUE(pipe.ok());
  EXPECT_EQ(CodeOf("M", {pipe->reader.get()}), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf("M", {theirs_.get()}), StatusCode::kInvalidArgument);
  const UniqueFd directory(open("/", O_PATH | O_CLOEXEC));
  EXPECT_EQ(CodeOf("M", {directory.get()}), StatusCode::kInvalidArgument);
}

TEST_F(ChannelTest, MemfdsAreBounded) {
  const UniqueFd huge(memfd_create("huge", MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(huge.get(), kMaxMessageBytes + 1), 0);  // sparse
  ASSERT_EQ(
      fcntl(huge.get(), F_ADD_SEALS,
            F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE),
      0);
  EXPECT_EQ(CodeOf("M", {huge.get()}), StatusCode::kInvalidArgument);
}

TEST_F(ChannelTest, MalformedMemfd) {
  const absl::StatusOr<UniqueFd> cut = SealedMemfd("cut", "\x12\x7fx");
  ASSERT_TRUE(cut.ok());
  EXPECT_EQ(CodeOf("M", {cut->get()}), StatusCode::kInvalidArgument);
  const absl::StatusOr<UniqueFd> good = SealedMemfd("good", "");
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(CodeOf("Mx", {good->get()}), StatusCode::kInvalidArgument)
      << "bytes in both places";
}

TEST_F(ChannelTest, TooManyDescriptors) {
  const UniqueFd sent(memfd_create("sent", 0));
  const int before = OpenDescriptors();
  const std::vector<int> most(kMaxDescriptors, sent.get());
  EXPECT_EQ(CodeOf("I", most), StatusCode::kOk) << "control";
  EXPECT_EQ(OpenDescriptors(), before);

  // The other side need not use SendPacket.
  constexpr int kCount = 4 * kMaxDescriptors;
  char data = 'I';
  iovec iov = {&data, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kCount)] = {};
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * kCount);
  for (int i = 0; i < kCount; ++i) {
    memcpy(CMSG_DATA(header) + i * sizeof(int), most.data(), sizeof(int));
  }
  ASSERT_EQ(sendmsg(theirs_.get(), &message, MSG_NOSIGNAL), 1);
  v1::Process received;
  std::vector<UniqueFd> descriptors;
  EXPECT_EQ(ReceiveMessage(ours_.get(), &received, &descriptors).code(),
            StatusCode::kInvalidArgument);
  EXPECT_TRUE(descriptors.empty());
  EXPECT_EQ(OpenDescriptors(), before) << "none may be left open";
}

TEST_F(ChannelTest, TheOtherEndIsGone) {
  theirs_.Reset();
  v1::Process message;
  EXPECT_EQ(ReceiveMessage(ours_.get(), &message).code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(SendMessage(ours_.get(), message).code(), StatusCode::kUnavailable);
}

TEST_F(ChannelTest, WhatWasSentBeforeTheEndIsRead) {
  ASSERT_TRUE(SendMessage(theirs_.get(), v1::Process()).ok());
  theirs_.Reset();
  v1::Process message;
  EXPECT_TRUE(ReceiveMessage(ours_.get(), &message).ok());
  EXPECT_EQ(ReceiveMessage(ours_.get(), &message).code(),
            StatusCode::kUnavailable);
}

TEST_F(ChannelTest, DoesNotWaitUnlessAsked) {
  v1::Process message;
  EXPECT_EQ(ReceiveMessage(ours_.get(), &message, nullptr, true).code(),
            StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace paddock
