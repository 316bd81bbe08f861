// Parts of the supervisor that need no privilege.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/supervisor/backoff.h"
#include "server/supervisor/child_process.h"
#include "server/supervisor/ready_report.h"
#include "server/supervisor/server_link.h"
#include "worker/base/socket.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {

using internal::v1::ServerControl;
using internal::v1::SupervisorMessage;
using testing::ElementsAre;

TEST(Backoff, GrowsWithFailuresToStartOnly) {
  Backoff backoff;
  EXPECT_EQ(backoff.NextDelay(false), absl::ZeroDuration());
  EXPECT_EQ(backoff.NextDelay(false), absl::Milliseconds(100));
  EXPECT_EQ(backoff.NextDelay(false), absl::Milliseconds(200));
  EXPECT_EQ(backoff.failures(), 3);
  EXPECT_EQ(backoff.NextDelay(true), absl::ZeroDuration());
  EXPECT_EQ(backoff.failures(), 0);
  for (int i = 0; i < 100; ++i) backoff.NextDelay(false);
  EXPECT_EQ(backoff.NextDelay(false), Backoff::kMost);
}

TEST(ReadyReport, NamesRealPorts) {
  config::v1::Listen listen;
  listen.set_grpc_address("[::1]:0");
  listen.set_http_address("localhost:0");
  listen.set_unix_socket("/a \"b\"");
  internal::v1::ServerReady ready;
  ready.set_grpc_port(1234);
  ready.set_http_port(5678);
  EXPECT_EQ(ReadyLine(listen, ready),
            "paddockd is ready: gRPC on [::1]:1234 and unix:/a \"b\", metrics "
            "on http://localhost:5678/metrics");
  EXPECT_EQ(ReadyJson(listen, ready),
            R"({"grpc_port":1234,"http_port":5678,"unix_socket":"/a \"b\""})");
}

TEST(ReadyReport, LeavesOutWhatIsNotServed) {
  config::v1::Listen listen;
  listen.set_unix_socket("/s");
  EXPECT_EQ(ReadyLine(listen, {}), "paddockd is ready: gRPC on unix:/s");
  EXPECT_EQ(ReadyJson({}, {}),
            R"({"grpc_port":0,"http_port":0,"unix_socket":""})");
}

TEST(ChildEnvironment, PassesNoSecret) {
  char secret[] = "AWS_SECRET_ACCESS_KEY=x", path[] = "PATH=/bin",
       notify[] = "NOTIFY_SOCKET=/run/s", grpc[] = "GRPC_VERBOSITY=debug",
       like[] = "PATHOLOGY=1";
  char* environment[] = {secret, path, notify, grpc, like, nullptr};
  EXPECT_THAT(ChildEnvironment(environment),
              ElementsAre("PATH=/bin", "GRPC_VERBOSITY=debug"));
}

class ServerLinkTest : public testing::Test {
 protected:
  ServerLinkTest() {
    SocketPair pair = *MakeSocketPair();
    link_ = *ServerLink::Create(std::move(pair.first));
    server_ = std::move(pair.second);
  }

  static SupervisorMessage Exited(int64_t incarnation) {
    SupervisorMessage message;
    message.mutable_worker_exited()->set_incarnation(incarnation);
    return message;
  }

  std::optional<ServerLink> link_;
  UniqueFd server_;
};

TEST_F(ServerLinkTest, KeepsOrderWhenTheServerDoesNotRead) {
  int sent = 0;
  while (!link_->wants_to_write()) {
    ASSERT_TRUE(link_->Send(Exited(++sent)).ok());
    ASSERT_LT(sent, 1000000);
  }
  ASSERT_TRUE(link_->Send(Exited(++sent)).ok());
  for (int i = 1; i <= sent; ++i) {
    SupervisorMessage message;
    ASSERT_TRUE(link_->Flush().ok());
    ASSERT_TRUE(ReceiveMessage(server_.get(), &message).ok());
    EXPECT_EQ(message.worker_exited().incarnation(), i);
  }
  EXPECT_FALSE(link_->wants_to_write());
}

TEST_F(ServerLinkTest, GivesUpOnAServerThatNeverReads) {
  absl::Status status;
  for (int i = 0; i < 100000 && status.ok(); ++i) {
    status = link_->Send(Exited(i));
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(ServerLinkTest, PassesDescriptors) {
  UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(link_->Send(Exited(1), std::move(null)).ok());
  SupervisorMessage message;
  std::vector<UniqueFd> descriptors;
  ASSERT_TRUE(ReceiveMessage(server_.get(), &message, &descriptors).ok());
  EXPECT_EQ(descriptors.size(), 1u);
}

TEST_F(ServerLinkTest, TellsNothingFromGarbageFromTheEnd) {
  auto nothing = link_->Receive();
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->has_value());
  ServerControl control;
  control.mutable_ready()->set_grpc_port(7);
  ASSERT_TRUE(SendMessage(server_.get(), control).ok());
  auto ready = link_->Receive();
  ASSERT_TRUE(ready.ok() && ready->has_value());
  EXPECT_EQ((*ready)->ready().grpc_port(), 7);
  ASSERT_TRUE(SendPacket(server_.get(), "garbage").ok());
  EXPECT_EQ(link_->Receive().status().code(),
            absl::StatusCode::kInvalidArgument);
  server_.Reset();
  EXPECT_EQ(link_->Receive().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ServerLinkTest, RefusesPortsThatAreNone) {
  for (const int port : {0, 65535, -1, 65536, INT32_MIN, INT32_MAX}) {
    ServerControl grpc, http;
    grpc.mutable_ready()->set_grpc_port(port);
    http.mutable_ready()->set_http_port(port);
    for (const ServerControl& control : {grpc, http}) {
      ASSERT_TRUE(SendMessage(server_.get(), control).ok());
      const absl::StatusCode expected =
          port >= 0 && port <= 65535 ? absl::StatusCode::kOk
                                     : absl::StatusCode::kInvalidArgument;
      EXPECT_EQ(link_->Receive().status().code(), expected) << port;
    }
  }
}

TEST_F(ServerLinkTest, RefusesAMessageThatSaysNothing) {
  ASSERT_TRUE(SendMessage(server_.get(), ServerControl()).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(link_->Receive().status()));
}

}  // namespace
}  // namespace paddock
