// What a server that was taken over could send: each is refused, the worker
// ends rather than going on, and nothing of it is left.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>

#include "tests/support/worker_process.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {

class CapturedServerTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<std::unique_ptr<WorkerProcess>> worker =
        WorkerProcess::Start();
    ASSERT_TRUE(worker.ok()) << worker.status();
    worker_ = *std::move(worker);
  }

  // The control: the very same worker does run what is in order.
  void ExpectWorks() {
    absl::StatusOr<v1::ProcessResult> result =
        worker_->Run(WorkerProcess::NewProcess({"/bin/true"}));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->outcome(), v1::OUTCOME_SUCCEEDED);
  }

  void ExpectRefused() {
    absl::StatusOr<int> status = worker_->WaitForEnd();
    ASSERT_TRUE(status.ok()) << status.status();
    EXPECT_TRUE(WIFEXITED(*status) && WEXITSTATUS(*status) == 1) << *status;
  }

  void ExpectProcessRefused(const std::function<void(v1::Process*)>& change) {
    ExpectWorks();
    v1::Process process = WorkerProcess::NewProcess({"/bin/true"});
    change(&process);
    ASSERT_TRUE(worker_->Send(process).ok());
    ExpectRefused();
  }

  std::unique_ptr<WorkerProcess> worker_;
};

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

TEST_F(CapturedServerTest, LimitAboveTheMaximum) {
  ExpectProcessRefused(
      [](v1::Process* p) { p->mutable_limits()->set_memory_bytes(2LL << 30); });
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

TEST_F(CapturedServerTest, PacketLargerThanAllowed) {
  ExpectWorks();
  ASSERT_TRUE(
      SendPacket(worker_->channel(), std::string(kMaxInlineBytes + 100, 'I'))
          .ok());
  ExpectRefused();
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
  ExpectWorks();
  internal::v1::ServerMessage message;
  message.mutable_run()->set_run_id(77);
  *message.mutable_run()->mutable_process() =
      WorkerProcess::NewProcess({"/bin/true"});
  const UniqueFd memfd(memfd_create("unsealed", MFD_CLOEXEC));
  ASSERT_TRUE(WriteAll(memfd.get(), message.SerializeAsString()).ok());
  ASSERT_TRUE(SendPacket(worker_->channel(), "M", {memfd.get()}).ok());
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

TEST_F(CapturedServerTest, SecondRunWhileOneIsRunning) {
  ExpectWorks();
  v1::Process process = WorkerProcess::NewProcess({"sleep", "20"});
  ASSERT_TRUE(worker_->Send(process).ok());
  ASSERT_TRUE(worker_->Send(process).ok());
  absl::StatusOr<int> status = worker_->WaitForEnd();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_THAT(worker_->LivingGroups(), testing::IsEmpty());
}

TEST_F(CapturedServerTest, CancelOfARunThatIsNotThereIsNoError) {
  internal::v1::ServerMessage message;
  message.mutable_cancel()->set_run_id(4711);
  ASSERT_TRUE(SendMessage(worker_->channel(), message).ok());
  ExpectWorks();
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

}  // namespace
}  // namespace paddock
