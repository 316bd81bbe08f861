// Calls on sockets that the filter of programs judges by their arguments.
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "tests/support/filter_calls.h"
#include "worker/policy/rules.h"

namespace paddock {
namespace {

// In every filter, unless the name says which.
class ProgramSocketsTest : public FilterOfProgramsTest {};
class LocalSocketsTest : public ProgramSocketsTest {};
class InternetSocketsTest : public ProgramSocketsTest {};

std::vector<FilterOptions> EveryFilterWith(bool internet_sockets) {
  std::vector<FilterOptions> filters = EveryFilterOfPrograms();
  std::erase_if(filters, [&](const FilterOptions& options) {
    return options.internet_sockets != internet_sockets;
  });
  return filters;
}

INSTANTIATE_TEST_SUITE_P(EveryFilter, ProgramSocketsTest,
                         testing::ValuesIn(EveryFilterOfPrograms()));
INSTANTIATE_TEST_SUITE_P(EveryFilter, LocalSocketsTest,
                         testing::ValuesIn(EveryFilterWith(false)));
INSTANTIATE_TEST_SUITE_P(EveryFilter, InternetSocketsTest,
                         testing::ValuesIn(EveryFilterWith(true)));

TEST_P(ProgramSocketsTest, SocketRequestsThatLoadDrivers) {
  for (const uint64_t high : {uint64_t{0}, kHigh, kAllHigh}) {
    for (const uint64_t request :
         {SIOCGIFBR, SIOCSIFBR, SIOCADDDLCI, SIOCGIFVLAN, SIOCSIFVLAN,
          SIOCBONDENSLAVE, SIOCBRADDBR, SIOCBRDELBR, SIOCBRADDIF, SIOCBRDELIF,
          SIOCPROTOPRIVATE, SIOCDEVPRIVATE, 0x89ff}) {
      EXPECT_EQ(On("ioctl", {3, high | request}), Errno(EPERM)) << request;
    }
    for (const uint64_t request :
         {SIOCATMARK, SIOCGIFCONF, SIOCGIFFLAGS, SIOCGIFADDR, SIOCGIFHWADDR,
          SIOCGIFINDEX, SIOCGIFTXQLEN, SIOCETHTOOL, SIOCGIFMAP}) {
      EXPECT_EQ(On("ioctl", {3, high | request}), kAllow) << request;
    }
  }
}

TEST_P(ProgramSocketsTest, LayersOverTcp) {
  for (const uint64_t option : {TCP_ULP, TCP_MD5SIG, 32, 38}) {
    EXPECT_EQ(On("setsockopt", {3, SOL_TCP, option}), Errno(EPERM));
    EXPECT_EQ(On("setsockopt", {3, kHigh | SOL_TCP, kHigh | option}),
              Errno(EPERM));
  }
  EXPECT_EQ(On("setsockopt", {3, SOL_TCP, TCP_NODELAY}), kAllow);
  EXPECT_EQ(On("setsockopt", {3, SOL_SOCKET, TCP_ULP}), kAllow);
}

TEST_P(ProgramSocketsTest, UnixSockets) {
  for (const char* call : {"socket", "socketpair"}) {
    for (const uint64_t type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
      EXPECT_EQ(On(call, {AF_UNIX, type, 0}), kAllow) << type;
      EXPECT_EQ(On(call, {AF_UNIX, type | SOCK_CLOEXEC, 0}), kAllow);
      EXPECT_EQ(On(call, {AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0}),
                kAllow);
      EXPECT_EQ(On(call, {AF_UNIX | kHigh, type | kHigh, kHigh}), kAllow)
          << "the kernel does not see those bits";
      EXPECT_EQ(On(call, {AF_UNIX, type, 1}), Errno(EPERM));
      EXPECT_EQ(On(call, {AF_UNIX, type | 0x10, 0}), Errno(EPERM));
    }
    for (const uint64_t type : {0, +SOCK_RAW, +SOCK_RDM, +SOCK_PACKET}) {
      EXPECT_EQ(On(call, {AF_UNIX, type, 0}), Errno(EPERM)) << type;
    }
  }
}

TEST_P(LocalSocketsTest, NoOtherFamily) {
  for (const char* call : {"socket", "socketpair"}) {
    for (uint64_t family = 0; family < 64; ++family) {
      if (family == AF_UNIX) continue;
      for (const uint64_t type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
        ASSERT_EQ(On(call, {family, type, 0}), Errno(EAFNOSUPPORT)) << family;
        ASSERT_EQ(On(call, {family | kHigh, type, 0}), Errno(EAFNOSUPPORT));
      }
    }
  }
}

TEST_P(InternetSocketsTest, TcpAndUdpOnly) {
  for (const uint64_t family : {AF_INET, AF_INET6}) {
    const uint64_t flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    EXPECT_EQ(On("socket", {family, SOCK_STREAM | flags, 0}), kAllow);
    EXPECT_EQ(On("socket", {family, SOCK_STREAM, IPPROTO_TCP}), kAllow);
    EXPECT_EQ(On("socket", {family, SOCK_DGRAM | flags, 0}), kAllow);
    EXPECT_EQ(On("socket", {family, SOCK_DGRAM, IPPROTO_UDP}), kAllow);
    for (const uint64_t protocol :
         {+IPPROTO_ICMP, +IPPROTO_UDPLITE, +IPPROTO_MPTCP, +IPPROTO_SCTP,
          +IPPROTO_UDP, +IPPROTO_RAW, +IPPROTO_DCCP}) {
      EXPECT_EQ(On("socket", {family, SOCK_STREAM, protocol}), Errno(EPERM))
          << protocol;
    }
    for (const uint64_t protocol :
         {+IPPROTO_ICMP, +IPPROTO_UDPLITE, +IPPROTO_TCP, +IPPROTO_ICMPV6}) {
      EXPECT_EQ(On("socket", {family, SOCK_DGRAM, protocol}), Errno(EPERM))
          << protocol;
    }
    EXPECT_EQ(On("socket", {family, SOCK_RAW, IPPROTO_ICMP}), Errno(EPERM));
    EXPECT_EQ(On("socket", {family, SOCK_SEQPACKET, 0}), Errno(EPERM));
    EXPECT_EQ(On("socketpair", {family, SOCK_STREAM, 0}), Errno(EAFNOSUPPORT));
  }
  EXPECT_EQ(On("socket", {AF_UNIX, SOCK_STREAM, 0}), kAllow);
  for (uint64_t family = 0; family < 64; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6) continue;
    ASSERT_EQ(On("socket", {family, SOCK_DGRAM, 0}), Errno(EAFNOSUPPORT));
  }
}

TEST_P(InternetSocketsTest, HalfDatagrams) {
  for (const uint64_t flags : {+MSG_MORE, MSG_MORE | MSG_DONTWAIT}) {
    for (const uint64_t high : {uint64_t{0}, kHigh}) {
      EXPECT_EQ(On("sendto", {3, 1, 1, high | flags}), Errno(EOPNOTSUPP));
      EXPECT_EQ(On("sendmsg", {3, 1, high | flags}), Errno(EOPNOTSUPP));
      EXPECT_EQ(On("sendmmsg", {3, 1, 1, high | flags}), Errno(EOPNOTSUPP));
    }
  }
  EXPECT_EQ(On("sendto", {3, 1, MSG_MORE, MSG_NOSIGNAL}), kAllow);
  EXPECT_EQ(On("sendmsg", {3, MSG_MORE, MSG_NOSIGNAL}), kAllow);
  EXPECT_EQ(On("sendmmsg", {3, 1, MSG_MORE, MSG_NOSIGNAL}), kAllow);
}

TEST_P(InternetSocketsTest, OptionsThatHoldMemory) {
  const auto verdict = [&](uint64_t level, uint64_t option) {
    const uint32_t found = On("setsockopt", {3, level, option});
    EXPECT_EQ(On("setsockopt", {3, kHigh | level, kHigh | option}), found);
    return found;
  };
  for (uint64_t option = IP_ADD_MEMBERSHIP; option <= MCAST_MSFILTER;
       ++option) {
    EXPECT_EQ(verdict(IPPROTO_IP, option), Errno(ENODEV)) << option;
    if (option < MCAST_JOIN_GROUP) continue;
    EXPECT_EQ(verdict(IPPROTO_IPV6, option), Errno(ENODEV)) << option;
  }
  EXPECT_EQ(verdict(IPPROTO_IPV6, IPV6_JOIN_GROUP), Errno(ENODEV));
  EXPECT_EQ(verdict(IPPROTO_IPV6, 6), Errno(ENOPROTOOPT));
  EXPECT_EQ(verdict(IPPROTO_IPV6, 32), Errno(ENOPROTOOPT));
  EXPECT_EQ(verdict(SOL_UDP, UDP_CORK), Errno(ENOPROTOOPT));
  EXPECT_EQ(verdict(SOL_UDP, UDP_ENCAP), Errno(ENOPROTOOPT));
  EXPECT_EQ(verdict(SOL_UDP, UDP_GRO), Errno(ENOPROTOOPT));
  EXPECT_EQ(verdict(SOL_UDP, UDP_SEGMENT), kAllow);
  EXPECT_EQ(verdict(SOL_SOCKET, SO_ZEROCOPY), Errno(EOPNOTSUPP));
  EXPECT_EQ(verdict(SOL_SOCKET, 37), Errno(ENOPROTOOPT));
  EXPECT_EQ(verdict(SOL_SOCKET, 65), Errno(ENOPROTOOPT));
  EXPECT_EQ(verdict(IPPROTO_IP, IP_RECVERR), kPretend);
  EXPECT_EQ(verdict(IPPROTO_IPV6, IPV6_RECVERR), kPretend);
  for (const uint64_t option :
       {IP_MULTICAST_LOOP, IP_TTL, MCAST_MSFILTER + 1}) {
    EXPECT_EQ(verdict(IPPROTO_IP, option), kAllow) << option;
  }
  for (const uint64_t option : {IPV6_V6ONLY, 19, 22, 34}) {
    EXPECT_EQ(verdict(IPPROTO_IPV6, option), kAllow) << option;
  }
  EXPECT_EQ(verdict(SOL_SOCKET, SO_TIMESTAMP), kAllow);
}

}  // namespace
}  // namespace paddock
