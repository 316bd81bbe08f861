#ifndef PADDOCK_TESTS_PROBES_SEND_DESCRIPTORS_H_
#define PADDOCK_TESTS_PROBES_SEND_DESCRIPTORS_H_

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace paddock_probe {

constexpr int kMostDescriptors = 253;  // in one message: SCM_MAX_FD of unix(7)

// Sends `descriptor` so many times in one message, which is not waited for.
// 0 or an errno.
inline int SendDescriptors(int socket, int descriptor, int count) {
  alignas(
      cmsghdr) char control[CMSG_SPACE(kMostDescriptors * sizeof(int))] = {};
  char byte = 0;
  iovec iov = {&byte, 1};
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  for (int i = 0; i < count; ++i) {
    memcpy(CMSG_DATA(header) + i * sizeof(int), &descriptor, sizeof(int));
  }
  return sendmsg(socket, &message, MSG_DONTWAIT) == 1 ? 0 : errno;
}

}  // namespace paddock_probe

#endif  // PADDOCK_TESTS_PROBES_SEND_DESCRIPTORS_H_
