// Ways to hold BYTES in the buffers of sockets on the loopback interface, or
// many of them. They go on as long as sockets take any, and then hold for a
// moment what they have.
#include <linux/net_tstamp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "tests/probes/burn.h"
#include "tests/probes/probe.h"

namespace paddock_probe {
namespace {

constexpr double kHoldSeconds = 0.5;

// Fills what `fd` leads to; how many bytes that took.
int64_t Fill(int fd) {
  static char block[16 << 10];
  constexpr int kFlags = MSG_NOSIGNAL | MSG_DONTWAIT;
  int64_t done = 0;
  for (ssize_t n; (n = send(fd, block, sizeof(block), kFlags)) > 0;) done += n;
  return done;
}

// Many in a row that take next to nothing: all is full. Where a control group
// has no room left the data of a few does not get in, but the next sockets
// themselves are what passes the limit.
class Progress {
 public:
  bool Stalls(int64_t added) {
    constexpr int64_t kLittle = 1 << 10;
    stalled_ = added < kLittle ? stalled_ + 1 : 0;
    return stalled_ >= 100;
  }

 private:
  int stalled_ = 0;
};

int Held(int64_t done, int error) {
  SleepFor(kHoldSeconds);
  return Report(done, error);
}

// Bound to a port of the kernel's choice, which `address` gets; or -1.
int Bound(int type, sockaddr_in* address) {
  *address = {};
  address->sin_family = AF_INET;
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(*address);
  auto* name = reinterpret_cast<sockaddr*>(address);
  const int fd = socket(AF_INET, type, 0);
  if (fd < 0) return -1;
  if (bind(fd, name, length) == 0 && getsockname(fd, name, &length) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// One that waits for its handshake, but not for ever: a kernel without memory
// drops packets.
int Connected(const sockaddr_in& address) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const timeval patience = {2, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// Both directions of connections that nobody reads.
int HogTcp(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  sockaddr_in address;
  const int listener = Bound(SOCK_STREAM | SOCK_CLOEXEC, &address);
  if (listener < 0 || listen(listener, 8) != 0) return Report(0, errno);
  Progress progress;
  int64_t done = 0;
  while (done < bytes) {
    const int near = Connected(address);
    if (near < 0) return Held(done, errno);
    const int far = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (far < 0) return Held(done, errno);
    const int64_t added = Fill(near) + Fill(far);
    done += added;
    if (progress.Stalls(added)) return Held(done, EAGAIN);
  }
  return Held(done, 0);
}

// Connections that nobody accepts, with no more in them than the kernel passes
// on at once, and whose other end is closed: no descriptor leads to them.
int HogBacklog(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  constexpr int kBacklog = 4096;
  Progress progress;
  int64_t done = 0;
  while (done < bytes) {
    sockaddr_in address;
    const int listener = Bound(SOCK_STREAM | SOCK_CLOEXEC, &address);
    if (listener < 0 || listen(listener, kBacklog) != 0) {
      return Held(done, errno);
    }
    for (int i = 0; i < kBacklog && done < bytes; ++i) {
      const int fd = Connected(address);
      if (fd < 0) return Held(done, errno);
      static char block[48 << 10];
      const ssize_t sent =
          send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
      const int64_t added = sent > 0 ? sent : 0;
      close(fd);
      done += added;
      if (progress.Stalls(added)) return Held(done, EAGAIN);
    }
  }
  return Held(done, 0);
}

// COUNT connections that nobody accepts and whose other end is closed, so that
// no descriptor leads to them, but stays. HOW: unsent, with data that found no
// room on the other side; or lingering, until that is closed too.
int HogOrphans(char** arguments) {
  const int64_t count = ParseNumber(arguments[0]);
  const bool unsent = std::string_view(arguments[1]) == "unsent";
  constexpr int kBacklog = 4096;
  sockaddr_in address;
  for (int64_t done = 0; done < count; ++done) {
    if (done % kBacklog == 0) {
      const int listener = Bound(SOCK_STREAM | SOCK_CLOEXEC, &address);
      const int least = 1;
      if (unsent) {
        setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least));
      }
      if (listener < 0 || listen(listener, kBacklog) != 0) {
        return Held(done, errno);
      }
    }
    const int fd = Connected(address);
    if (fd < 0) return Held(done, errno);
    if (unsent) {
      const int least = 1;
      setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
      static char block[8 << 10];
      send(fd, block, sizeof(block), MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      const int two_minutes = 120;
      setsockopt(fd, IPPROTO_TCP, TCP_LINGER2, &two_minutes,
                 sizeof(two_minutes));
    }
    close(fd);
  }
  return Held(count, 0);
}

// What `fd` has received or keeps for SO_TIMESTAMPING; or -1.
int64_t QueuedOf(int fd) {
  uint32_t figures[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof(figures);
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, figures, &length) != 0) return -1;
  return figures[SK_MEMINFO_RMEM_ALLOC];
}

// Sockets that send to themselves and never read. A send that finds no room
// succeeds all the same, so the kernel is asked what the datagrams take.
int HogUdp(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  Progress progress;
  int64_t done = 0;
  while (done < bytes) {
    sockaddr_in address;
    const int fd = Bound(SOCK_DGRAM | SOCK_CLOEXEC, &address);
    if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address),
                          sizeof(address)) != 0) {
      return Held(done, errno);
    }
    static char datagram[4 << 10];
    for (int i = 0; i < 100; ++i) send(fd, datagram, sizeof(datagram), 0);
    const int64_t added = QueuedOf(fd);
    if (added < 0) return Held(done, errno);
    done += added;
    if (progress.Stalls(added)) return Held(done, EAGAIN);
  }
  return Held(done, 0);
}

// One datagram to where nobody listens, and to be told of when it is sent.
void SendStamped(int fd) {
  static char datagram[4 << 10];
  alignas(cmsghdr) char controls[CMSG_SPACE(sizeof(uint32_t))] = {};
  iovec data = {datagram, sizeof(datagram)};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = controls;
  message.msg_controllen = sizeof(controls);
  cmsghdr* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SO_TIMESTAMPING;
  control->cmsg_len = CMSG_LEN(sizeof(uint32_t));
  const uint32_t asked = SOF_TIMESTAMPING_TX_SOFTWARE;
  memcpy(CMSG_DATA(control), &asked, sizeof(asked));
  sendmsg(fd, &message, MSG_DONTWAIT);
}

// Copies of what was sent, for whom nobody asks.
int HogTimestamps(char** arguments) {
  const int64_t bytes = ParseNumber(arguments[0]);
  sockaddr_in nowhere = {};
  nowhere.sin_family = AF_INET;
  nowhere.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  nowhere.sin_port = htons(9);
  Progress progress;
  int64_t done = 0;
  while (done < bytes) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return Held(done, errno);
    const int large = 1 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof(large));
    // A second one that failed would be an error to be told first.
    for (int i = 0; i < 200; ++i) {
      connect(fd, reinterpret_cast<sockaddr*>(&nowhere), sizeof(nowhere));
      SendStamped(fd);
    }
    const int64_t added = QueuedOf(fd);
    if (added < 0) return Held(done, errno);
    done += added;
    if (progress.Stalls(added)) return Held(done, EAGAIN);
  }
  return Held(done, 0);
}

}  // namespace

const Probe kInetProbes[] = {
    {"hog-tcp", 1, "BYTES", HogTcp},
    {"hog-backlog", 1, "BYTES", HogBacklog},
    {"hog-orphans", 2, "COUNT HOW", HogOrphans},
    {"hog-udp", 1, "BYTES", HogUdp},
    {"hog-timestamps", 1, "BYTES", HogTimestamps},
    {nullptr, 0, nullptr, nullptr},
};

}  // namespace paddock_probe
