// What sock_diag says of TCP sockets in a network namespace of the test's own.
#include "worker/sandbox/socket_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/support/unasked_cgroup.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

using testing::HasSubstr;

constexpr int kConnections = 8;
constexpr int64_t kSent = 20000;

// Both kinds of address: [::1] and 127.0.0.1.
class Address {
 public:
  explicit Address(int family) {
    if (family == AF_INET) {
      in_.sin_family = AF_INET;
      in_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
      in6_.sin6_family = AF_INET6;
      in6_.sin6_addr = in6addr_loopback;
    }
  }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&in6_); }
  socklen_t size() const {
    return in6_.sin6_family == AF_INET ? sizeof(in_) : sizeof(in6_);
  }

 private:
  union {
    sockaddr_in6 in6_ = {};
    sockaddr_in in_;
  };
};

void UpLoopback() {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request = {};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  ASSERT_EQ(ioctl(fd.get(), SIOCSIFFLAGS, &request), 0);
}

UniqueFd OpenDiag() {
  return UniqueFd(
      socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
}

// Runs `body` with the sock_diag of a network namespace of its own.
template <typename Body>
void InOwnNetwork(Body body) {
  std::thread([&body] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    UpLoopback();
    body(OpenDiag());
  }).join();
}

constexpr int64_t kAnyAmount = std::numeric_limits<int64_t>::max();
constexpr SocketShare kAnyShare = {kAnyAmount, kAnyAmount};

// Connections to one listener, with kSent bytes sent over each.
struct Connections {
  explicit Connections(int family) {
    Address address(family);
    socklen_t size = address.size();
    listener.Reset(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(bind(listener.get(), address.get(), size), 0);
    EXPECT_EQ(listen(listener.get(), kConnections), 0);
    EXPECT_EQ(getsockname(listener.get(), address.get(), &size), 0);
    for (int i = 0; i < kConnections; ++i) {
      near.emplace_back(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
      EXPECT_EQ(connect(near.back().get(), address.get(), size), 0);
      const std::string data(kSent, 'x');
      EXPECT_EQ(send(near.back().get(), data.data(), kSent, 0), kSent);
    }
  }

  void Accept() {
    for (int i = 0; i < kConnections; ++i) {
      far.emplace_back(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      EXPECT_TRUE(far.back().valid());
    }
  }

  UniqueFd listener;
  std::vector<UniqueFd> near;
  std::vector<UniqueFd> far;
};

void WaitForConnected(const UniqueFd& diag, int64_t expected) {
  for (int i = 0; i < 1000; ++i) {
    if (ReadSocketMemory(diag.get())->connected == expected) return;
    absl::SleepFor(absl::Milliseconds(1));
  }
}

// Charged for `sockets` while it stands still. Before, that has moved into the
// heap by the time it is asked.
class MovingMemory : public UnaskedCgroup {
 public:
  explicit MovingMemory(int64_t sockets) : sockets_(sockets) {}
  bool frozen() const { return frozen_; }

  absl::Status Freeze(absl::Duration) override {
    frozen_ = true;
    return absl::OkStatus();
  }
  absl::Status Thaw() override {
    frozen_ = false;
    return absl::OkStatus();
  }
  int64_t SocketMemoryCharged() override { return frozen_ ? sockets_ : 0; }
  int64_t MemoryInUse() override { return sockets_; }
  int64_t MemoryHeld() override { return sockets_; }

 private:
  const int64_t sockets_;
  bool frozen_ = false;
};

class SocketWatchTest : public testing::TestWithParam<int> {};

TEST_P(SocketWatchTest, WhatMovesIsCountedOnce) {
  InOwnNetwork([](const UniqueFd& diag) {
    Connections connections(GetParam());
    connections.Accept();
    const int64_t sockets = ReadSocketMemory(diag.get())->owned;
    ASSERT_GE(sockets, kConnections * kSent);
    MovingMemory cgroup(sockets);
    SocketWatch enough(diag.get(), &cgroup, sockets, kAnyShare);
    EXPECT_EQ(*enough.Look(absl::ZeroDuration()), false);
    EXPECT_FALSE(cgroup.frozen());
    EXPECT_EQ(enough.peak_bytes(), sockets);
    SocketWatch too_little(diag.get(), &cgroup, sockets - 1, kAnyShare);
    EXPECT_EQ(*too_little.Look(absl::ZeroDuration()), true);
    EXPECT_TRUE(cgroup.frozen());  // until it is killed
  });
}

TEST_P(SocketWatchTest, SocketsAloneAreHeldToTheirShare) {
  InOwnNetwork([](const UniqueFd& diag) {
    Connections connections(GetParam());
    const SocketMemory memory = *ReadSocketMemory(diag.get());
    const int64_t sockets = memory.owned + memory.unowned;
    MovingMemory cgroup(0);
    SocketWatch enough(diag.get(), &cgroup, kAnyAmount, {sockets, kAnyAmount});
    EXPECT_EQ(*enough.Look(absl::ZeroDuration()), false);
    EXPECT_FALSE(cgroup.frozen());
    SocketWatch too_little(diag.get(), &cgroup, kAnyAmount,
                           {sockets - 1, kAnyAmount});
    EXPECT_EQ(*too_little.Look(absl::ZeroDuration()), true);
    EXPECT_TRUE(cgroup.frozen());
    EXPECT_THAT(too_little.ShareExceeded(), HasSubstr("net.ipv4.tcp_mem"));
  });
}

TEST_P(SocketWatchTest, ConnectionsAreHeldToTheirShare) {
  InOwnNetwork([](const UniqueFd& diag) {
    Connections connections(GetParam());
    connections.near.clear();
    constexpr int64_t kConnected = 2 * kConnections;
    EXPECT_EQ(ReadSocketMemory(diag.get())->connected, kConnected);
    MovingMemory cgroup(0);
    SocketWatch enough(diag.get(), &cgroup, kAnyAmount,
                       {kAnyAmount, kConnected});
    EXPECT_EQ(*enough.Look(absl::ZeroDuration()), false);
    EXPECT_FALSE(cgroup.frozen());
    EXPECT_EQ(enough.ShareExceeded(), "");
    SocketWatch too_little(diag.get(), &cgroup, kAnyAmount,
                           {kAnyAmount, kConnected - 1});
    EXPECT_EQ(*too_little.Look(absl::ZeroDuration()), true);
    EXPECT_TRUE(cgroup.frozen());
    EXPECT_THAT(too_little.ShareExceeded(),
                HasSubstr("net.ipv4.tcp_max_orphans"));
  });
}

// Not those of sockets that are closed and gone, but one that waits to be told
// of the end longer than the kernel does without being asked is a socket.
TEST_P(SocketWatchTest, WhatIsLeftOfConnectionsIsNotConnected) {
  InOwnNetwork([](const UniqueFd& diag) {
    Connections connections(GetParam());
    connections.Accept();
    std::string data(kSent, '\0');
    for (const UniqueFd& far : connections.far) {
      EXPECT_EQ(recv(far.get(), data.data(), kSent, MSG_WAITALL), kSent);
    }
    const int two_minutes = 120;
    EXPECT_EQ(setsockopt(connections.near[0].get(), IPPROTO_TCP, TCP_LINGER2,
                         &two_minutes, sizeof(two_minutes)),
              0);
    connections.near.clear();
    WaitForConnected(diag, kConnections + 1);  // their ends are acknowledged
    EXPECT_EQ(ReadSocketMemory(diag.get())->connected, kConnections + 1);
    connections.far.clear();
    EXPECT_EQ(ReadSocketMemory(diag.get())->connected, 0);
    EXPECT_GT(ReadSocketMemory(diag.get())->unowned, 0);
  });
}

TEST_P(SocketWatchTest, CountsWhatNobodyHasAccepted) {
  InOwnNetwork([](const UniqueFd& diag) {
    const auto bytes = [&diag] {
      return ReadSocketMemory(diag.get())->unowned;
    };
    EXPECT_EQ(bytes(), 0);
    Connections connections(GetParam());
    EXPECT_GE(bytes(), kConnections * kSent);
    EXPECT_LE(bytes(), kConnections * kSent * 6);
    connections.Accept();
    EXPECT_EQ(bytes(), 0);  // now the group of whoever accepted is charged
  });
}

// Also if nobody is left to read it.
TEST_P(SocketWatchTest, CountsTheConnectionsOfClosedSockets) {
  InOwnNetwork([](const UniqueFd& diag) {
    Connections connections(GetParam());
    connections.near.clear();
    EXPECT_GE(ReadSocketMemory(diag.get())->unowned, kConnections * kSent);
    connections.listener.Reset();  // resets them
    EXPECT_LT(ReadSocketMemory(diag.get())->unowned, kConnections * kSent);
  });
}

// A closed connection is remembered for a minute.
TEST_P(SocketWatchTest, CountsWhatIsLeftOfConnections) {
  InOwnNetwork([](const UniqueFd& diag) {
    Connections connections(GetParam());
    connections.Accept();
    std::string data(kSent, '\0');
    for (const UniqueFd& far : connections.far) {
      EXPECT_EQ(recv(far.get(), data.data(), kSent, MSG_WAITALL), kSent);
    }
    connections.near.clear();
    connections.far.clear();
    const int64_t left = ReadSocketMemory(diag.get())->unowned;
    EXPECT_GE(left, kConnections * 256);
    EXPECT_LE(left, kConnections * 1024);
  });
}

TEST_P(SocketWatchTest, CountsDatagrams) {
  InOwnNetwork([](const UniqueFd& diag) {
    const UniqueFd fd(socket(GetParam(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    Address address(GetParam());
    socklen_t size = address.size();
    EXPECT_EQ(bind(fd.get(), address.get(), size), 0);
    EXPECT_EQ(getsockname(fd.get(), address.get(), &size), 0);
    EXPECT_EQ(ReadSocketMemory(diag.get())->owned, 0);
    const std::string data(kSent, 'x');
    EXPECT_EQ(sendto(fd.get(), data.data(), kSent, 0, address.get(), size),
              kSent);
    EXPECT_GE(ReadSocketMemory(diag.get())->owned, kSent);
    EXPECT_EQ(ReadSocketMemory(diag.get())->unowned, 0);
  });
}

TEST_P(SocketWatchTest, OtherNamespacesAreNotCounted) {
  std::thread([] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    const UniqueFd diag = OpenDiag();
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    UpLoopback();
    const Connections connections(GetParam());
    EXPECT_EQ(ReadSocketMemory(diag.get())->unowned, 0);
    EXPECT_GE(ReadSocketMemory(OpenDiag().get())->unowned,
              kConnections * kSent);
  }).join();
}

INSTANTIATE_TEST_SUITE_P(Families, SocketWatchTest,
                         testing::Values(AF_INET, AF_INET6),
                         [](const auto& info) {
                           return info.param == AF_INET ? "IPv4" : "IPv6";
                         });

TEST(SocketWatchErrors, WhatIsNoSuchSocketIsAnError) {
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  EXPECT_FALSE(ReadSocketMemory(fd.get()).ok());
}

}  // namespace
}  // namespace paddock
