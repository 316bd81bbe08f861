#ifndef PADDOCK_WORKER_WIRE_CHANNEL_H_
#define PADDOCK_WORKER_WIRE_CHANNEL_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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
// No message is larger, however it travels. The largest is a result with two
// streams of 64 MiB each, the default maximum, and 64 MiB of outputs.
inline constexpr size_t kMaxMessageBytes = 224 << 20;

// A message as it travels, made once and sent as often as one likes: the
// memfd is sealed, and readers leave its offset alone.
struct EncodedMessage {
  std::string packet;
  UniqueFd memfd;    // valid if the message is not in `packet`
  size_t bytes = 0;  // of the message, wherever it is
};

// ResourceExhausted if `message` is larger than kMaxMessageBytes.
absl::StatusOr<EncodedMessage> EncodeMessage(
    const google::protobuf::MessageLite& message);

// SendMessage of a message that is encoded already.
absl::Status SendEncoded(int socket, const EncodedMessage& message,
                         absl::Span<const int> descriptors = {});

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
