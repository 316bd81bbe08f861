#include "worker/base/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "worker/base/status_macros.h"

namespace paddock {

absl::StatusOr<SocketPair> MakeSocketPair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
    return ErrnoStatus(errno, "socketpair");
  }
  return SocketPair{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

absl::StatusOr<PipeEnds> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  PipeEnds ends{UniqueFd(fds[0]), UniqueFd(fds[1])};
  if (fcntl(ends.reader.get(), F_SETFL, O_NONBLOCK) != 0) {
    return ErrnoStatus(errno, "fcntl(O_NONBLOCK)");
  }
  return ends;
}

absl::Status SendPacket(int socket, absl::string_view data,
                        absl::Span<const int> descriptors) {
  if (descriptors.size() > kMaxDescriptors) {
    return absl::InternalError("too many descriptors for one message");
  }
  iovec iov = {const_cast<char*>(data.data()), data.size()};
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors)] = {};
  if (!descriptors.empty()) {
    const size_t bytes = sizeof(int) * descriptors.size();
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), descriptors.data(), bytes);
  }
  for (;;) {
    if (sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return absl::OkStatus();
    if (errno == EINTR) continue;
    if (errno == EPIPE || errno == ECONNRESET) {
      return absl::UnavailableError("the other end of the channel is closed");
    }
    return ErrnoStatus(errno, absl::StrCat("sendmsg of ", data.size(), " B"));
  }
}

absl::StatusOr<Packet> ReceivePacket(int socket, size_t max_bytes, int flags) {
  if (max_bytes > kMaxPacketBytes) {
    return absl::InternalError("a packet larger than any");
  }
  Packet packet;
  // Not filled with zeros, which would touch all of its pages.
  char buffer[kMaxPacketBytes];
  iovec iov = {buffer, max_bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxDescriptors) +
                                CMSG_SPACE(sizeof(ucred))];
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t n;
  do {
    n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
  } while (n < 0 && errno == EINTR);
  if (n < 0) {
    if (errno == EAGAIN) return absl::DeadlineExceededError("nothing there");
    if (errno == ECONNRESET) return absl::UnavailableError("channel closed");
    return ErrnoStatus(errno, "recvmsg");
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_RIGHTS) {
      const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; ++i) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        packet.descriptors.emplace_back(fd);
      }
    } else if (header->cmsg_type == SCM_CREDENTIALS) {
      ucred credentials;
      memcpy(&credentials, CMSG_DATA(header), sizeof(credentials));
      packet.sender_pid = credentials.pid;
    }
  }
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
    return absl::InvalidArgumentError("message was cut off");
  }
  if (n == 0 && packet.descriptors.empty()) {
    return absl::UnavailableError("channel closed");
  }
  packet.data.assign(buffer, n);
  explicit_bzero(buffer, n);  // it may hold secrets
  return packet;
}

}  // namespace paddock
