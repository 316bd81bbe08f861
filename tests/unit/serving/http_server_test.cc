#include "server/telemetry/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/time_scale.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

std::unique_ptr<HttpServer> Listen(const std::string& address) {
  auto server = HttpServer::Start(address, {}, [] { return true; });
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

TEST(HttpServerTest, APortThatIsTakenIsAnError) {
  const auto first = Listen("127.0.0.1:0");
  ASSERT_NE(first, nullptr);
  EXPECT_GT(first->port(), 0);
  EXPECT_FALSE(
      HttpServer::Start(absl::StrCat("127.0.0.1:", first->port()), {}, [] {
        return true;
      }).ok());
}

// civetweb alone takes two seconds for each.
TEST(HttpServerTest, StopsAtOnce) {
  const absl::Time begin = absl::Now();
  for (int i = 0; i < 5; ++i) {
    const auto server = Listen("127.0.0.1:0");
    ASSERT_NE(server, nullptr);
    absl::SleepFor(absl::Milliseconds(50));  // its thread waits by then
  }
  EXPECT_LT(absl::Now() - begin, Scaled(absl::Seconds(5)));
}

TEST(HttpServerTest, StopsOneOfTwo) {
  auto first = Listen("127.0.0.1:0");
  const auto second = Listen("localhost:0");
  ASSERT_TRUE(first != nullptr && second != nullptr);
  first.reset();
  EXPECT_EQ(HttpServer::Start(absl::StrCat("127.0.0.1:", second->port()), {},
                              [] { return true; })
                .status()
                .code(),
            absl::StatusCode::kUnavailable);
}

TEST(HttpServerTest, LeavesAloneWhoeverHasItsPortAtAnotherAddress) {
  const auto other = Listen("127.0.0.1:0");
  ASSERT_NE(other, nullptr);
  ASSERT_NE(Listen(absl::StrCat("127.0.0.2:", other->port())), nullptr);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(other->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address),
                    sizeof(address)),
            0);
}

}  // namespace
}  // namespace paddock
