#include "worker/sandbox/socket_watch.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/time/clock.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

// A program can pass on a byte or two for each nanosecond. One look takes
// 0.14 ms with 262144 buckets in the kernel's table of connections.
constexpr absl::Duration kShortestSleep = absl::Milliseconds(10);
// The part of a CPU that looking may take where it takes longer, up to a point
// beyond which a program would gain by making it slow.
constexpr int kSleepPerLook = 20;
constexpr absl::Duration kLongestSleep = absl::Milliseconds(250);

// Of an object that the kernel made by an interrupt: a connection that waits
// for accept, and its request; what remembers a closed one, or one half open.
constexpr int64_t kConnectionBytes = 3 << 10;
constexpr int64_t kRemnantBytes = 512;

constexpr uint32_t Bit(int number) { return uint32_t{1} << number; }

// With a socket of the program's, everything is charged. One that was accepted
// and closed never comes back to the first two of these states.
constexpr uint32_t kConnectionStates =
    Bit(TCP_ESTABLISHED) | Bit(TCP_CLOSE_WAIT);
constexpr uint32_t kRemnantStates =
    Bit(TCP_SYN_RECV) | Bit(TCP_FIN_WAIT2) | Bit(TCP_TIME_WAIT);

// TCPDIAG_GETSOCK, unlike its successor, asks for IPv4 and IPv6 at once.
absl::Status SendRequest(int diag) {
  struct {
    nlmsghdr header;
    inet_diag_req request;
  } message = {};
  message.header.nlmsg_len = sizeof(message);
  message.header.nlmsg_type = TCPDIAG_GETSOCK;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.request.idiag_ext = Bit(INET_DIAG_SKMEMINFO - 1);
  message.request.idiag_states = kConnectionStates | kRemnantStates;
  if (send(diag, &message, sizeof(message), 0) != sizeof(message)) {
    return ErrnoStatus(errno, "asking sock_diag");
  }
  return absl::OkStatus();
}

int64_t BuffersOf(const nlmsghdr* header, const inet_diag_msg* message) {
  int left = static_cast<int>(header->nlmsg_len) -
             static_cast<int>(NLMSG_LENGTH(sizeof(*message)));
  const auto* attribute = reinterpret_cast<const rtattr*>(message + 1);
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != INET_DIAG_SKMEMINFO) continue;
    uint32_t figures[SK_MEMINFO_VARS] = {};
    memcpy(figures, RTA_DATA(attribute),
           std::min<size_t>(sizeof(figures), RTA_PAYLOAD(attribute)));
    return int64_t{figures[SK_MEMINFO_RMEM_ALLOC]} +
           figures[SK_MEMINFO_WMEM_QUEUED] + figures[SK_MEMINFO_BACKLOG];
  }
  return 0;
}

int64_t UnchargedBytes(const nlmsghdr* header) {
  const auto* message = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
  if (message->idiag_inode != 0) return 0;
  if ((kConnectionStates & Bit(message->idiag_state)) == 0) {
    return kRemnantBytes;
  }
  return kConnectionBytes + BuffersOf(header, message);
}

absl::Status ErrorOf(int error) {
  if (error != ENOENT && error != EOPNOTSUPP) {
    return ErrnoStatus(error, "sock_diag of TCP sockets");
  }
  return absl::FailedPreconditionError(
      "the kernel has no tcp_diag to tell what the sockets of a program with a "
      "loopback interface hold: load it with modprobe(8), or build it "
      "(CONFIG_INET_TCP_DIAG)");
}

}  // namespace

absl::StatusOr<int64_t> UnchargedSocketMemory(int diag) {
  RETURN_IF_ERROR(SendRequest(diag));
  int64_t bytes = 0;
  for (;;) {
    alignas(nlmsghdr) char buffer[32 << 10];
    const ssize_t received = recv(diag, buffer, sizeof(buffer), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return ErrnoStatus(errno, "reading from sock_diag");
    auto left = static_cast<uint32_t>(received);
    const auto* header = reinterpret_cast<const nlmsghdr*>(buffer);
    for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return bytes;
      if (header->nlmsg_type == NLMSG_ERROR) {
        return ErrorOf(
            -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error);
      }
      bytes += UnchargedBytes(header);
    }
  }
}

absl::Status CheckSocketMemoryIsTold() {
  const UniqueFd diag(
      socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!diag.valid()) return ErrnoStatus(errno, "a socket for sock_diag");
  return UnchargedSocketMemory(diag.get()).status();
}

SocketWatch::SocketWatch(int diag, SandboxCgroup* cgroup, int64_t memory_bytes)
    : diag_(diag),
      cgroup_(cgroup),
      memory_bytes_(memory_bytes),
      next_look_(diag < 0 ? absl::InfiniteDuration() : kShortestSleep) {}

absl::StatusOr<bool> SocketWatch::Look(absl::Duration now) {
  const absl::Time begin = absl::Now();
  ASSIGN_OR_RETURN(const int64_t uncharged, UnchargedSocketMemory(diag_));
  bool passed = false;
  if (uncharged > 0 || cgroup_->SocketMemoryApart() > 0) {
    peak_bytes_ = std::max(peak_bytes_, cgroup_->MemoryInUse() + uncharged);
    passed = cgroup_->MemoryHeld() + uncharged > memory_bytes_;
  }
  next_look_ = now + std::clamp((absl::Now() - begin) * kSleepPerLook,
                                kShortestSleep, kLongestSleep);
  return passed;
}

}  // namespace paddock
