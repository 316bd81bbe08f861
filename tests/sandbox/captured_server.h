#ifndef PADDOCK_TESTS_SANDBOX_CAPTURED_SERVER_H_
#define PADDOCK_TESTS_SANDBOX_CAPTURED_SERVER_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/sandbox/worker_test.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"
#include "worker/wire/channel.h"

namespace paddock {

// The test is the server, and has been taken over; the worker is real.
class CapturedServerTest : public WorkerTest {
 protected:
  // The control: the very same worker does run what is in order.
  void ExpectWorks() {
    absl::StatusOr<v1::ProcessResult> result =
        worker_->Run(WorkerProcess::NewProcess({"/bin/true"}));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->outcome(), v1::OUTCOME_SUCCEEDED);
  }

  // Begins a run of what is in order, by a packet that the test writes.
  static std::string GoodMessage() {
    internal::v1::ServerMessage message;
    message.mutable_run()->set_run_id(77);
    *message.mutable_run()->mutable_process() =
        WorkerProcess::NewProcess({"/bin/true"});
    return message.SerializeAsString();
  }

  // The same in a sealed memfd of `bytes`: the rest is one field that nobody
  // knows, and no memory stands behind it.
  static UniqueFd GoodMessageOf(size_t bytes) {
    constexpr int kFieldAndLength = 1 + 5;
    const std::string message = GoodMessage();
    size_t length = bytes - message.size() - kFieldAndLength;
    std::string head = message + "\x7a";  // field 15
    for (int i = 0; i < 4; ++i, length >>= 7) head += char(length | 0x80);
    head += char(length);
    UniqueFd memfd(memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_TRUE(WriteAll(memfd.get(), head).ok());
    EXPECT_EQ(ftruncate(memfd.get(), static_cast<off_t>(bytes)), 0);
    EXPECT_EQ(
        fcntl(memfd.get(), F_ADD_SEALS,
              F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE),
        0);
    return memfd;
  }

  // The control for a packet that is spoiled: the same one, made right.
  void ExpectPacketWorks(const std::string& packet,
                         const std::vector<int>& descriptors = {}) {
    ASSERT_TRUE(SendPacket(worker_->channel(), packet, descriptors).ok());
    absl::StatusOr<internal::v1::WorkerMessage> message = worker_->Receive();
    ASSERT_TRUE(message.ok() && message->has_started());
    message = worker_->Receive();
    ASSERT_TRUE(message.ok() && message->has_finished());
    EXPECT_EQ(message->finished().run_id(), 77);
    EXPECT_EQ(message->finished().result().outcome(), v1::OUTCOME_SUCCEEDED);
  }

  void ExpectPacketRefused(const std::string& packet,
                           const std::vector<int>& descriptors = {}) {
    ASSERT_TRUE(SendPacket(worker_->channel(), packet, descriptors).ok());
    ExpectRefused();
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
};

}  // namespace paddock

#endif  // PADDOCK_TESTS_SANDBOX_CAPTURED_SERVER_H_
