// How long connections last, over real sockets. A client that is to be silent,
// or deaf, is one of the test's own, which speaks the frames of RFC 9113.
#include "server/api/grpc_listener.h"

#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "paddock/v1/admin_service.grpc.pb.h"
#include "prometheus/registry.h"
#include "tests/support/time_scale.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

constexpr absl::Duration kSecond = absl::Seconds(1);
// Controls: what holds for so long is not closed by a bound of kSecond.
constexpr absl::Duration kLong = absl::Seconds(3);

// Answers, and knows from which connections it was asked.
class Service final : public v1::AdminService::Service {
 public:
  Service(absl::Duration delay, std::set<std::string>* peers)
      : delay_(delay), peers_(peers) {}
  grpc::Status GetServerInfo(grpc::ServerContext* context,
                             const v1::GetServerInfoRequest*,
                             v1::GetServerInfoResponse*) override {
    const absl::Time end = absl::Now() + delay_;
    while (absl::Now() < end && !context->IsCancelled()) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    peers_->insert(context->peer());
    return grpc::Status::OK;
  }

 private:
  const absl::Duration delay_;
  std::mutex mutex_;
  std::set<std::string>* const peers_;
};

class RawClient {
 public:
  explicit RawClient(int port)
      : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket_.get(), reinterpret_cast<sockaddr*>(&address),
                      sizeof(address)),
              0);
  }

  // The preface, with settings that say nothing.
  void Introduce() {
    Send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, 0, ""));
  }
  void Ping() { Send(Frame(kPing, 0, "12345678")); }

  // Whether the server closes the connection within `patience`.
  bool IsClosedWithin(absl::Duration patience, bool answer_pings) {
    const absl::Time deadline = absl::Now() + patience;
    for (;;) {
      const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
      pollfd readable = {socket_.get(), POLLIN, 0};
      if (left <= 0 || poll(&readable, 1, static_cast<int>(left)) == 0) {
        return false;
      }
      char bytes[4096];
      const ssize_t count = read(socket_.get(), bytes, sizeof(bytes));
      if (count <= 0) return count == 0 || errno == ECONNRESET;
      received_.append(bytes, static_cast<size_t>(count));
      while (TakeFrame(answer_pings)) {
      }
    }
  }
  int pings() const { return pings_; }

 private:
  static constexpr char kSettings = 4;
  static constexpr char kPing = 6;
  static constexpr char kAcknowledged = 1;
  static constexpr size_t kHeadBytes = 9;

  static std::string Frame(char type, char flags, const std::string& body) {
    std::string head(kHeadBytes, '\0');
    head[2] = static_cast<char>(body.size());
    head[3] = type;
    head[4] = flags;
    return head + body;
  }

  void Send(const std::string& bytes) {
    // A server that has closed the connection is what some tests wait for.
    (void)!send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  bool TakeFrame(bool answer_pings) {
    if (received_.size() < kHeadBytes) return false;
    const auto byte = [&](int i) {
      return static_cast<size_t>(static_cast<unsigned char>(received_[i]));
    };
    const size_t body = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (received_.size() < kHeadBytes + body) return false;
    if (received_[3] == kPing && (received_[4] & kAcknowledged) == 0) {
      ++pings_;
      if (answer_pings) {
        Send(Frame(kPing, kAcknowledged, received_.substr(kHeadBytes, body)));
      }
    }
    received_.erase(0, kHeadBytes + body);
    return true;
  }

  const UniqueFd socket_;
  std::string received_;
  int pings_ = 0;
};

class GrpcListenerTest : public testing::Test {
 protected:
  void Listen(const GrpcListener::ConnectionBounds& bounds) {
    GrpcListener::Options options;
    options.make_services = [this] {
      std::vector<std::unique_ptr<grpc::Service>> services;
      services.push_back(std::make_unique<Service>(delay_, &peers_));
      return services;
    };
    options.max_request_bytes = 1 << 20;
    options.longest_run = kSecond;
    options.metrics = &metrics_;
    options.bounds = bounds;
    auto listener = GrpcListener::ListenTcp(options, "127.0.0.1:0");
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    stub_ = v1::AdminService::NewStub(
        grpc::CreateChannel(absl::StrCat("127.0.0.1:", listener_->port()),
                            grpc::InsecureChannelCredentials()));
  }
  void TearDown() override {
    if (listener_ != nullptr) listener_->Shutdown(absl::ZeroDuration());
  }

  grpc::Status TryCall() {
    grpc::ClientContext context;
    v1::GetServerInfoResponse response;
    return stub_->GetServerInfo(&context, {}, &response);
  }
  void Call() {
    const grpc::Status status = TryCall();
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  void CallFor(absl::Duration time) {
    const absl::Time end = absl::Now() + time;
    while (absl::Now() < end) {
      Call();
      absl::SleepFor(absl::Milliseconds(50));
    }
  }

  absl::Duration delay_;  // of each answer
  prometheus::Registry registry_;
  RpcMetrics metrics_{&registry_, {}};
  std::set<std::string> peers_;  // one for each connection that called
  std::unique_ptr<GrpcListener> listener_;
  std::unique_ptr<v1::AdminService::Stub> stub_;
};

TEST_F(GrpcListenerTest, WhoNeverSpeaksIsClosed) {
  Listen({.handshake = kSecond});
  RawClient speaks(listener_->port());
  speaks.Introduce();
  RawClient silent(listener_->port());
  EXPECT_TRUE(silent.IsClosedWithin(Scaled(2 * kLong), true));
  EXPECT_FALSE(speaks.IsClosedWithin(kSecond, true));
}

TEST_F(GrpcListenerTest, WhoAnswersNoPingIsClosed) {
  Listen({.keepalive = kSecond, .keepalive_timeout = kSecond});
  RawClient deaf(listener_->port());
  deaf.Introduce();
  EXPECT_TRUE(deaf.IsClosedWithin(Scaled(2 * kLong), false));
  EXPECT_GT(deaf.pings(), 0);
  RawClient answers(listener_->port());
  answers.Introduce();
  EXPECT_FALSE(answers.IsClosedWithin(kLong, true));
  EXPECT_GT(answers.pings(), 0);
}

TEST_F(GrpcListenerTest, WhoPingsTooOftenIsClosed) {
  Listen({.min_client_ping = absl::Seconds(30)});
  RawClient client(listener_->port());
  client.Introduce();
  for (int i = 0; i < 2; ++i) client.Ping();
  EXPECT_FALSE(client.IsClosedWithin(kSecond, true));
  for (int i = 0; i < 10; ++i) client.Ping();
  EXPECT_TRUE(client.IsClosedWithin(Scaled(kLong), true));
}

TEST_F(GrpcListenerTest, WhoDoesNotCallIsClosed) {
  Listen({.max_idle = kSecond});
  RawClient idle(listener_->port());
  idle.Introduce();
  EXPECT_TRUE(idle.IsClosedWithin(Scaled(2 * kLong), true));
  CallFor(kLong);
  EXPECT_EQ(peers_.size(), 1u);
  absl::SleepFor(kLong);
  Call();
  EXPECT_EQ(peers_.size(), 2u) << "unseen by who calls";
}

TEST_F(GrpcListenerTest, AnOldConnectionTakesNoMoreCalls) {
  Listen({.max_age = kSecond});
  CallFor(kLong);
  EXPECT_GE(peers_.size(), 2u);
  EXPECT_LE(peers_.size(), 6u);
}

TEST_F(GrpcListenerTest, CallsOfAnOldConnectionMayQueueAndRun) {
  delay_ = kLong;
  Listen({.max_age = kSecond, .longest_queueing = kLong});
  Call();
}

TEST_F(GrpcListenerTest, ThenTheyEnd) {
  delay_ = Scaled(4 * kLong);
  Listen({.max_age = kSecond, .longest_queueing = absl::ZeroDuration()});
  const absl::Time begin = absl::Now();
  EXPECT_EQ(TryCall().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_GT(absl::Now() - begin, 1.5 * kSecond) << "a second's run";
  EXPECT_LT(absl::Now() - begin, Scaled(2 * kLong));
}

// The control for all of these: by default nothing of it happens so soon.
TEST_F(GrpcListenerTest, ByDefaultTheyLastLonger) {
  Listen({});
  Call();
  RawClient silent(listener_->port());
  RawClient deaf(listener_->port());
  deaf.Introduce();
  EXPECT_FALSE(deaf.IsClosedWithin(kLong, false));
  EXPECT_FALSE(silent.IsClosedWithin(absl::Milliseconds(10), false));
  Call();
  EXPECT_EQ(peers_.size(), 1u);
}

}  // namespace
}  // namespace paddock
