#ifndef PADDOCK_WORKER_BASE_SOCKET_H_
#define PADDOCK_WORKER_BASE_SOCKET_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// The most descriptors one message may carry.
inline constexpr int kMaxDescriptors = 8;
// The largest `max_bytes` of ReceivePacket.
inline constexpr size_t kMaxPacketBytes = 64 << 10;

struct SocketPair {
  UniqueFd first;
  UniqueFd second;
};

// A connected AF_UNIX SOCK_SEQPACKET pair, close-on-exec: unix(7).
absl::StatusOr<SocketPair> MakeSocketPair();

struct PipeEnds {
  UniqueFd reader;
  UniqueFd writer;
};

// pipe2(2) with O_CLOEXEC; the reader's end is non-blocking.
absl::StatusOr<PipeEnds> MakePipe();

// Sends one message with descriptors (borrowed). Blocks unless the socket is
// non-blocking. UnavailableError if the other end is closed.
absl::Status SendPacket(int socket, absl::string_view data,
                        absl::Span<const int> descriptors = {});

struct Packet {
  std::string data;
  std::vector<UniqueFd> descriptors;
  // The sender in our pid namespace; only where SO_PASSCRED is set, else 0.
  pid_t sender_pid = 0;
};

// Receives one message of at most `max_bytes`. UnavailableError at end of file;
// InvalidArgument for a message or a descriptor list that was cut off;
// kDeadlineExceeded when `flags` has MSG_DONTWAIT and nothing is there.
absl::StatusOr<Packet> ReceivePacket(int socket, size_t max_bytes,
                                     int flags = 0);

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_SOCKET_H_
