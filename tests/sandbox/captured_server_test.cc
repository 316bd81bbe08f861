// What a server that was taken over could send: each is refused, the worker
// ends rather than going on, and nothing of it is left. That another worker
// takes its place is shown by tests/e2e/test_captured_server.py.
#include "tests/sandbox/captured_server.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/support/time_scale.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {

TEST_F(CapturedServerTest, PathForAnImageName) {
  ExpectProcessRefused([](v1::Process* p) { p->set_image("../.."); });
}

TEST_F(CapturedServerTest, UnknownImage) {
  ExpectProcessRefused([](v1::Process* p) { p->set_image("other"); });
}

TEST_F(CapturedServerTest, ProfileTheOperatorDidNotEnable) {
  ExpectProcessRefused([](v1::Process* p) { p->set_profile("ci"); });
}

TEST_F(CapturedServerTest, ProfileLeftOut) {
  ExpectProcessRefused([](v1::Process* p) { p->clear_profile(); });
}

TEST_F(CapturedServerTest, InputOutsideTheWritableDirectories) {
  ExpectProcessRefused([](v1::Process* p) {
    v1::Input* input = p->add_inputs();
    input->set_path("/etc/passwd");
    input->mutable_source()->set_text("root::0:0::/:/bin/sh\n");
  });
}

TEST_F(CapturedServerTest, OutputThatClimbs) {
  ExpectProcessRefused(
      [](v1::Process* p) { p->add_outputs()->set_path("../etc/shadow"); });
}

TEST_F(CapturedServerTest, LimitLeftOut) {
  ExpectProcessRefused(
      [](v1::Process* p) { p->mutable_limits()->clear_memory_bytes(); });
}

TEST_F(CapturedServerTest, RunWithoutAnId) {
  ExpectWorks();
  internal::v1::ServerMessage message;
  *message.mutable_run()->mutable_process() =
      WorkerProcess::NewProcess({"/bin/true"});
  ASSERT_TRUE(SendMessage(worker_->channel(), message).ok());
  ExpectRefused();
}

TEST_F(CapturedServerTest, Garbage) {
  ExpectWorks();
  ASSERT_TRUE(SendPacket(worker_->channel(), "Inonsense\xff\xff\xff").ok());
  ExpectRefused();
}

// Or a program would run whose limits nobody watches, while its worker waits
// for the server to read.
TEST_F(CapturedServerTest, NoReadingOfAnswers) {
  ExpectWorks();
  // From now on each message is looked at, and stays where it is: unix(7).
  const int first = 0;
  ASSERT_EQ(setsockopt(worker_->channel(), SOL_SOCKET, SO_PEEK_OFF, &first,
                       sizeof(first)),
            0);
  const timeval patience = absl::ToTimeval(Scaled(absl::Seconds(10)));
  ASSERT_EQ(setsockopt(worker_->channel(), SOL_SOCKET, SO_RCVTIMEO, &patience,
                       sizeof(patience)),
            0);
  const auto peek_finished = [this] {
    for (;;) {
      char packet[kMaxInlineBytes + 1];
      const ssize_t n =
          recv(worker_->channel(), packet, sizeof(packet), MSG_PEEK);
      internal::v1::WorkerMessage message;
      if (n <= 0) return false;
      if (!message.ParseFromArray(packet + 1, static_cast<int>(n) - 1)) {
        return false;
      }
      if (message.has_finished()) return true;
    }
  };
  constexpr int kMost = 100;  // of 30 KiB, in a channel for some 200
  int runs = 0;
  while (runs < kMost &&
         worker_
             ->Send(WorkerProcess::NewProcess(
                 {"head", "-c", "30000", "/dev/zero"}))
             .ok() &&
         peek_finished()) {
    ++runs;
  }
  EXPECT_GT(runs, 1);
  EXPECT_LT(runs, kMost);
  ExpectRefused();
}

TEST_F(CapturedServerTest, PacketLargerThanAllowed) {
  ExpectWorks();
  ASSERT_TRUE(
      SendPacket(worker_->channel(), std::string(kMaxInlineBytes + 100, 'I'))
          .ok());
  ExpectRefused();
}

TEST_F(CapturedServerTest, MessageLargerThanAllowedInAMemfd) {
  const UniqueFd largest = GoodMessageOf(kMaxMessageBytes);
  ExpectPacketWorks("M", {largest.get()});
  const UniqueFd larger = GoodMessageOf(kMaxMessageBytes + 1);
  ExpectPacketRefused("M", {larger.get()});
}

TEST_F(CapturedServerTest, DirectoryForAMemfd) {
  ExpectWorks();
  absl::StatusOr<UniqueFd> root = OpenAt(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
  ASSERT_TRUE(root.ok());
  ASSERT_TRUE(SendPacket(worker_->channel(), "M", {root->get()}).ok());
  ExpectRefused();
}

TEST_F(CapturedServerTest, DeviceForAMemfd) {
  ExpectWorks();
  absl::StatusOr<UniqueFd> zero = OpenAt(AT_FDCWD, "/dev/zero", O_RDONLY);
  ASSERT_TRUE(zero.ok());
  ASSERT_TRUE(SendPacket(worker_->channel(), "M", {zero->get()}).ok());
  ExpectRefused();
}

TEST_F(CapturedServerTest, UnsealedMemfd) {
  const UniqueFd sealed = *SealedMemfd("sealed", GoodMessage());
  ExpectPacketWorks("M", {sealed.get()});
  const UniqueFd memfd(memfd_create("unsealed", MFD_CLOEXEC));
  ASSERT_TRUE(WriteAll(memfd.get(), GoodMessage()).ok());
  ExpectPacketRefused("M", {memfd.get()});
}

TEST_F(CapturedServerTest, PathDescriptorForAMemfd) {
  const UniqueFd sealed = *SealedMemfd("sealed", GoodMessage());
  ExpectPacketWorks("M", {sealed.get()});
  absl::StatusOr<UniqueFd> path =
      OpenAt(AT_FDCWD, absl::StrCat("/proc/self/fd/", sealed.get()), O_PATH);
  ASSERT_TRUE(path.ok()) << path.status();
  ExpectPacketRefused("M", {path->get()});
}

TEST_F(CapturedServerTest, WriteOnlyDescriptorForAMemfd) {
  const UniqueFd memfd(memfd_create("m", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_TRUE(WriteAll(memfd.get(), GoodMessage()).ok());
  const std::string path = absl::StrCat("/proc/self/fd/", memfd.get());
  absl::StatusOr<UniqueFd> writer = OpenAt(AT_FDCWD, path, O_WRONLY);
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_EQ(
      fcntl(memfd.get(), F_ADD_SEALS,
            F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE),
      0);
  ExpectPacketWorks("M", {memfd.get()});
  ExpectPacketRefused("M", {writer->get()});
}

// What is in it is in order, so only that it is a file can be what is wrong.
TEST_F(CapturedServerTest, FileForAMemfd) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(tmpfile(), fclose);
  ASSERT_NE(file, nullptr);
  ASSERT_TRUE(WriteAll(fileno(file.get()), GoodMessage()).ok());
  const UniqueFd sealed = *SealedMemfd("sealed", GoodMessage());
  ExpectPacketWorks("M", {sealed.get()});
  ExpectPacketRefused("M", {fileno(file.get())});
}

// Files of tmpfs have seals, as memfds do; these have none.
TEST_F(CapturedServerTest, FileOfAForeignFileSystemForAMemfd) {
  ExpectWorks();
  absl::StatusOr<UniqueFd> file = OpenAt(AT_FDCWD, "/proc/version", O_RDONLY);
  ASSERT_TRUE(file.ok()) << file.status();
  ExpectPacketRefused("M", {file->get()});
}

TEST_F(CapturedServerTest, MemfdLeftOut) {
  ExpectWorks();
  ExpectPacketRefused("M");
}

TEST_F(CapturedServerTest, MoreDescriptorsThanAreTaken) {
  ExpectPacketWorks("I" + GoodMessage());
  constexpr int kMany = 100;
  std::string packet = "I" + GoodMessage();
  iovec iov = {packet.data(), packet.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMany)] = {};
  msghdr message = {.msg_iov = &iov,
                    .msg_iovlen = 1,
                    .msg_control = control,
                    .msg_controllen = sizeof(control)};
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * kMany);
  for (int i = 0; i < kMany; ++i) {
    const int fd = STDIN_FILENO;
    memcpy(CMSG_DATA(header) + i * sizeof(fd), &fd, sizeof(fd));
  }
  ASSERT_GT(sendmsg(worker_->channel(), &message, MSG_NOSIGNAL), 0);
  ExpectRefused();
}

TEST_F(CapturedServerTest, DescriptorThatNobodyAskedFor) {
  ExpectWorks();
  internal::v1::ServerMessage message;
  message.mutable_cancel()->set_run_id(1);
  absl::StatusOr<UniqueFd> root = OpenAt(AT_FDCWD, "/", O_PATH);
  ASSERT_TRUE(root.ok());
  ASSERT_TRUE(SendMessage(worker_->channel(), message, {root->get()}).ok());
  ExpectRefused();
}

// The server tries again what failed for the sandbox's sake, by the same id.
TEST_F(CapturedServerTest, RunRepeatedAfterItsEndIsANewRun) {
  const v1::Process process = WorkerProcess::NewProcess(
      {"sh", "-c",
       "test ! -e /work/a && test ! -e /tmp/a && touch /work/a /tmp/a"});
  for (int attempt = 0; attempt < 3; ++attempt) {
    absl::StatusOr<v1::ProcessResult> result = worker_->Run(process);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->outcome(), v1::OUTCOME_SUCCEEDED);
    worker_->RepeatRunId();
  }
  // Control: what is left behind would be seen.
  v1::Process both = process;
  both.set_argv(2, process.argv(2) + " && " + process.argv(2));
  absl::StatusOr<v1::ProcessResult> result = worker_->Run(both);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outcome(), v1::OUTCOME_NONZERO_EXIT);
  // And the checks are those of the first time.
  worker_->RepeatRunId();
  ExpectProcessRefused([](v1::Process* p) { p->set_image("other"); });
}

TEST_F(CapturedServerTest, SecondRunWhileOneIsRunning) {
  ExpectWorks();
  v1::Process process = WorkerProcess::NewProcess({"sleep", "20"});
  ASSERT_TRUE(worker_->Send(process).ok());
  ASSERT_TRUE(worker_->Send(process).ok());
  ExpectRefused();
  EXPECT_THAT(worker_->LivingGroups(), testing::IsEmpty());
}

TEST_F(CapturedServerTest, CancelOfARunThatIsNotThereIsNoError) {
  internal::v1::ServerMessage message;
  message.mutable_cancel()->set_run_id(4711);
  ASSERT_TRUE(SendMessage(worker_->channel(), message).ok());
  ExpectWorks();
}

// recvmsg(2) returns the same for both.
TEST_F(CapturedServerTest, EmptyPacketIsTheEndOfTheServer) {
  ExpectWorks();
  ASSERT_EQ(send(worker_->channel(), "", 0, MSG_NOSIGNAL), 0);
  absl::StatusOr<int> status = worker_->WaitForEnd();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(*status, 0);
  EXPECT_THAT(worker_->LivingGroups(), testing::IsEmpty());
}

TEST_F(CapturedServerTest, ClosedChannelEndsProgramAndWorker) {
  ASSERT_TRUE(worker_->Send(WorkerProcess::NewProcess({"sleep", "20"})).ok());
  absl::StatusOr<internal::v1::WorkerMessage> started = worker_->Receive();
  ASSERT_TRUE(started.ok() && started->has_started());
  EXPECT_THAT(worker_->LivingGroups(), testing::Not(testing::IsEmpty()));
  worker_->CloseChannel();
  absl::StatusOr<int> status = worker_->WaitForEnd();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(*status, 0);
  EXPECT_THAT(worker_->LivingGroups(), testing::IsEmpty());
}

// Of a message in order only the first part: so many thousandths, and never the
// last byte.
class CutMessageTest : public CapturedServerTest,
                       public testing::WithParamInterface<int> {
 protected:
  static std::string CutMessage() {
    const std::string whole = GoodMessage();
    return whole.substr(0, (whole.size() - 1) * GetParam() / 1000);
  }
};

TEST_P(CutMessageTest, InThePacket) {
  ExpectPacketWorks("I" + GoodMessage());
  ExpectPacketRefused("I" + CutMessage());
}

TEST_P(CutMessageTest, InAMemfd) {
  const UniqueFd whole = *SealedMemfd("whole", GoodMessage());
  ExpectPacketWorks("M", {whole.get()});
  const UniqueFd cut = *SealedMemfd("cut", CutMessage());
  ExpectPacketRefused("M", {cut.get()});
}

INSTANTIATE_TEST_SUITE_P(Parts, CutMessageTest,
                         testing::Values(0, 10, 100, 500, 900, 1000));

}  // namespace
}  // namespace paddock
