#include "worker/sandbox/socket_watch.h"

#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"
#include "worker/base/unique_fd.h"
#include "worker/sandbox/cgroup_files.h"

namespace paddock {
namespace {

// One look takes 0.14 ms with 262144 buckets in the kernel's table of
// connections, and half a microsecond for each connection.
constexpr absl::Duration kUsualSleep = absl::Milliseconds(10);
// Sooner where a program could pass its limit by then, which takes a CPU so
// long (measured: 10 bytes for each nanosecond).
constexpr absl::Duration kShortestSleep = absl::Milliseconds(1);
constexpr int64_t kBytesPerMicrosecond = 10'000;
// The part of a CPU that looking may take where it takes longer, up to a point
// beyond which a program would gain by making it slow.
constexpr int kSleepPerLook = 20;
constexpr absl::Duration kLongestSleep = absl::Milliseconds(250);
// What a CPU needs for a connection that it makes.
constexpr absl::Duration kConnectTime = absl::Microseconds(10);
// Within which a program that is not throttled has stopped.
constexpr absl::Duration kFreezeTime = absl::Milliseconds(20);

// Of an object that the kernel made by an interrupt: a connection that waits
// for accept, and its request; what remembers a closed one, or one half open.
constexpr int64_t kConnectionBytes = 3 << 10;
constexpr int64_t kRemnantBytes = 512;

// Of a host's memory, where nobody has set it: tcp_init_mem of the kernel.
constexpr int kTcpPartOfMemory = 16;
// Of the same, for one orphan: half of the table of connections, tcp_init.
constexpr int64_t kBytesPerOrphan = 256 << 10;

// How long nobody has to look where so many bytes are left.
absl::Duration SleepWithRoom(int64_t bytes) {
  return std::clamp(absl::Microseconds(bytes / kBytesPerMicrosecond),
                    kShortestSleep, kUsualSleep);
}

constexpr uint32_t Bit(int number) { return uint32_t{1} << number; }

// Of what only remembers a connection: inet_twsk_diag_fill of the kernel.
constexpr uint8_t kTimeWaitTimer = 3;

// With no descriptor of the program's. One that was accepted and closed never
// comes back to these states.
constexpr uint32_t kWaitsForAccept = Bit(TCP_ESTABLISHED) | Bit(TCP_CLOSE_WAIT);
constexpr uint32_t kRemnants =
    Bit(TCP_SYN_RECV) | Bit(TCP_FIN_WAIT2) | Bit(TCP_TIME_WAIT);
// A listener holds nothing itself, and the kernel has a table more for those.
constexpr uint32_t kTcpStates = kWaitsForAccept | kRemnants |
                                Bit(TCP_SYN_SENT) | Bit(TCP_FIN_WAIT1) |
                                Bit(TCP_LAST_ACK) | Bit(TCP_CLOSING);

template <typename Request>
absl::Status Ask(int diag, uint16_t type, const Request& request) {
  struct {
    nlmsghdr header;
    Request request;
  } message = {};
  message.header.nlmsg_len = sizeof(message);
  message.header.nlmsg_type = type;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.request = request;
  if (send(diag, &message, sizeof(message), 0) != sizeof(message)) {
    return ErrnoStatus(errno, "asking sock_diag");
  }
  return absl::OkStatus();
}

// Unlike its successor, this asks for IPv4 and IPv6 at once, which halves what
// the kernel has to walk.
absl::Status AskForTcp(int diag) {
  inet_diag_req request = {};
  request.idiag_ext = Bit(INET_DIAG_SKMEMINFO - 1);
  request.idiag_states = kTcpStates;
  return Ask(diag, TCPDIAG_GETSOCK, request);
}

absl::Status AskForUdp(int diag, uint8_t family) {
  inet_diag_req_v2 request = {};
  request.sdiag_family = family;
  request.sdiag_protocol = IPPROTO_UDP;
  request.idiag_ext = Bit(INET_DIAG_SKMEMINFO - 1);
  request.idiag_states = ~uint32_t{0};
  return Ask(diag, SOCK_DIAG_BY_FAMILY, request);
}

// Of SK_MEMINFO_*. A TCP socket's wmem_alloc counts copies of what is queued;
// what a socket has charged ahead (fwd_alloc) is an int for the kernel.
using Figures = std::array<uint32_t, SK_MEMINFO_VARS>;
int64_t BuffersOf(const Figures& figures, bool tcp) {
  return int64_t{figures[SK_MEMINFO_RMEM_ALLOC]} +
         static_cast<int32_t>(figures[SK_MEMINFO_FWD_ALLOC]) +
         figures[tcp ? SK_MEMINFO_WMEM_QUEUED : SK_MEMINFO_WMEM_ALLOC] +
         figures[SK_MEMINFO_BACKLOG];
}

// All 0 for what is less than a socket.
Figures FiguresOf(const nlmsghdr* header, const inet_diag_msg* message) {
  Figures figures = {};
  int left = static_cast<int>(header->nlmsg_len) -
             static_cast<int>(NLMSG_LENGTH(sizeof(*message)));
  const auto* attribute = reinterpret_cast<const rtattr*>(message + 1);
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != INET_DIAG_SKMEMINFO) continue;
    memcpy(figures.data(), RTA_DATA(attribute),
           std::min<size_t>(sizeof(figures), RTA_PAYLOAD(attribute)));
  }
  return figures;
}

void Add(const nlmsghdr* header, bool tcp, SocketMemory* sum) {
  const auto* message = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
  const int64_t buffers = BuffersOf(FiguresOf(header, message), tcp);
  if (tcp && message->idiag_timer != kTimeWaitTimer &&
      message->idiag_state != TCP_SYN_RECV) {
    ++sum->connected;
  }
  const bool orphan = tcp && message->idiag_inode == 0;
  if (orphan && (kWaitsForAccept & Bit(message->idiag_state)) != 0) {
    sum->unowned += kConnectionBytes + buffers;
    return;
  }
  sum->owned += buffers;
  if (orphan && (kRemnants & Bit(message->idiag_state)) != 0) {
    sum->unowned += kRemnantBytes;
  }
}

// So short that a program cannot make half of its share of sockets meanwhile:
// two for each connection.
absl::Duration LongestSleep(const SocketShare& share) {
  return std::clamp(kConnectTime * (share.connected / 4) / CpusOnline(),
                    kUsualSleep, kLongestSleep);
}

absl::Status StatusOf(int error) {
  if (error == 0) return absl::OkStatus();
  if (error != ENOENT && error != EOPNOTSUPP) {
    return ErrnoStatus(error, "sock_diag of sockets");
  }
  return absl::FailedPreconditionError(
      "the kernel has no tcp_diag or no udp_diag to tell what the sockets of a "
      "program with a loopback interface hold: load them with modprobe(8), or "
      "build them (CONFIG_INET_TCP_DIAG, CONFIG_INET_UDP_DIAG)");
}

absl::Status ReadAnswer(int diag, bool tcp, SocketMemory* sum) {
  for (;;) {
    alignas(nlmsghdr) char buffer[32 << 10];
    const ssize_t received = recv(diag, buffer, sizeof(buffer), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return ErrnoStatus(errno, "reading from sock_diag");
    auto left = static_cast<uint32_t>(received);
    const auto* header = reinterpret_cast<const nlmsghdr*>(buffer);
    for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      // The end of a dump has an errno too. Both begin with it, negative.
      if (header->nlmsg_type == NLMSG_DONE ||
          header->nlmsg_type == NLMSG_ERROR) {
        int error = 0;
        memcpy(&error, NLMSG_DATA(header), sizeof(error));
        return StatusOf(-error);
      }
      Add(header, tcp, sum);
    }
  }
}

}  // namespace

absl::StatusOr<SocketMemory> ReadSocketMemory(int diag) {
  SocketMemory sum;
  RETURN_IF_ERROR(AskForTcp(diag));
  RETURN_IF_ERROR(ReadAnswer(diag, /*tcp=*/true, &sum));
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    RETURN_IF_ERROR(AskForUdp(diag, family));
    RETURN_IF_ERROR(ReadAnswer(diag, /*tcp=*/false, &sum));
  }
  return sum;
}

int64_t ShareOfSocketMemory(absl::string_view tcp_mem, int64_t host_bytes,
                            int workers) {
  const int64_t page = sysconf(_SC_PAGESIZE);
  const std::vector<absl::string_view> numbers =
      absl::StrSplit(tcp_mem, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  int64_t pages = 0;
  if (numbers.size() != 3 || !absl::SimpleAtoi(numbers[1], &pages)) {
    pages = host_bytes / kTcpPartOfMemory / page;
  }
  return std::min(pages, host_bytes / page) * page / (workers + 1);
}

int64_t ShareOfConnected(absl::string_view tcp_max_orphans, int64_t host_bytes,
                         int workers) {
  int64_t orphans = 0;
  if (!absl::SimpleAtoi(tcp_max_orphans, &orphans)) {
    orphans = host_bytes / kBytesPerOrphan;
  }
  return orphans / (workers + 1);
}

SocketShare ShareOfSockets(int workers) {
  struct sysinfo host = {};
  sysinfo(&host);  // its one error is a bad address
  const int64_t host_bytes =
      static_cast<int64_t>(host.totalram) * host.mem_unit;
  const absl::StatusOr<std::string> tcp_mem =
      ReadFileAt(AT_FDCWD, "/proc/sys/net/ipv4/tcp_mem");
  const absl::StatusOr<std::string> orphans =
      ReadFileAt(AT_FDCWD, "/proc/sys/net/ipv4/tcp_max_orphans");
  return {.bytes = ShareOfSocketMemory(tcp_mem.ok() ? *tcp_mem : "", host_bytes,
                                       workers),
          .connected = ShareOfConnected(orphans.ok() ? *orphans : "",
                                        host_bytes, workers)};
}

absl::Status CheckSocketMemoryIsTold() {
  const UniqueFd diag(
      socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!diag.valid()) return ErrnoStatus(errno, "a socket for sock_diag");
  return ReadSocketMemory(diag.get()).status();
}

SocketWatch::SocketWatch(int diag, SandboxCgroup* cgroup, int64_t memory_bytes,
                         const SocketShare& share)
    : diag_(diag),
      cgroup_(cgroup),
      memory_bytes_(memory_bytes),
      share_(share),
      longest_sleep_(diag < 0 ? kUsualSleep : LongestSleep(share)),
      next_look_(diag < 0 ? absl::InfiniteDuration()
                          : SleepWithRoom(memory_bytes)) {}

absl::StatusOr<SocketWatch::Figures> SocketWatch::Read() const {
  const int64_t in_use_before = cgroup_->MemoryInUse();
  const int64_t charged_before = cgroup_->SocketMemoryCharged();
  ASSIGN_OR_RETURN(const SocketMemory sockets, ReadSocketMemory(diag_));
  Figures figures;
  figures.sockets = sockets.owned + sockets.unowned;
  figures.connected = sockets.connected;
  if (figures.sockets == 0) return figures;
  const int64_t charged = cgroup_->SocketMemoryCharged();
  // The part of the sockets that the group is not charged for.
  const auto uncharged = [&sockets](int64_t charged) {
    return sockets.unowned + std::max<int64_t>(0, sockets.owned - charged);
  };
  figures.in_use = std::min(in_use_before, cgroup_->MemoryInUse()) +
                   uncharged(std::max(charged_before, charged));
  figures.held = cgroup_->MemoryHeld() + uncharged(charged);
  return figures;
}

bool SocketWatch::Passed(const Figures& figures) const {
  return figures.held > memory_bytes_ || figures.sockets > share_.bytes ||
         figures.connected > share_.connected;
}

std::string SocketWatch::ShareExceeded() const {
  if (seen_.connected > share_.connected) {
    return absl::StrCat(seen_.connected,
                        " connected TCP sockets, and a program's share of this "
                        "host's net.ipv4.tcp_max_orphans is ",
                        share_.connected);
  }
  if (seen_.sockets > share_.bytes) {
    return absl::StrCat("its sockets held ", seen_.sockets,
                        " bytes, and a program's share of this host's "
                        "net.ipv4.tcp_mem is ",
                        share_.bytes);
  }
  return "";
}

// A program that cannot be stopped so soon is judged by what it seems to hold.
absl::StatusOr<SocketWatch::Figures> SocketWatch::ReadWhileFrozen() const {
  cgroup_->Freeze(kFreezeTime).IgnoreError();
  absl::StatusOr<Figures> figures = Read();
  if (!figures.ok() || !Passed(*figures)) {
    RETURN_IF_ERROR(cgroup_->Thaw());
  }
  return figures;
}

absl::StatusOr<bool> SocketWatch::Look(absl::Duration now) {
  const absl::Time begin = absl::Now();
  ASSIGN_OR_RETURN(Figures figures, Read());
  if (Passed(figures)) {
    ASSIGN_OR_RETURN(figures, ReadWhileFrozen());
  }
  seen_ = figures;
  peak_bytes_ = std::max(peak_bytes_, figures.in_use);
  next_look_ = now + std::clamp((absl::Now() - begin) * kSleepPerLook,
                                SleepWithRoom(memory_bytes_ - figures.held),
                                longest_sleep_);
  return Passed(figures);
}

}  // namespace paddock
