#ifndef PADDOCK_WORKER_WIRE_CHANNEL_H_
#define PADDOCK_WORKER_WIRE_CHANNEL_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "google/protobuf/message_lite.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// How messages travel between supervisor, server and workers: one protobuf
// message per SOCK_SEQPACKET packet. The packet's first byte says where the
// message is: kInline, in the rest of the packet; kInMemfd, in a sealed memfd
// that is the first descriptor. Both sides check sizes, seals and descriptor
// counts, because the other side may be captured.

// A message larger than this goes in a memfd.
inline constexpr size_t kMaxInlineBytes = 32 << 10;
// No message is larger, however it travels.
inline constexpr size_t kMaxMessageBytes = 96 << 20;

// Sends `message` with `descriptors` (borrowed). Unavailable if the other end
// is gone, ResourceExhausted if the message is larger than kMaxMessageBytes.
absl::Status SendMessage(int socket,
                         const google::protobuf::MessageLite& message,
                         absl::Span<const int> descriptors = {});

// Receives one message into `message`. `descriptors` gets those that came with
// it; if it is null, none may come. Unavailable at end of file;
// DeadlineExceeded when `dont_wait` and nothing is there; InvalidArgument for
// anything that is not a well-formed message: the other side broke the
// protocol.
absl::Status ReceiveMessage(int socket, google::protobuf::MessageLite* message,
                            std::vector<UniqueFd>* descriptors = nullptr,
                            bool dont_wait = false);

}  // namespace paddock

#endif  // PADDOCK_WORKER_WIRE_CHANNEL_H_
