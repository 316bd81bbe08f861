#include "worker/wire/channel.h"

#include <sys/socket.h>

#include <cstring>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {
constexpr char kInline = 'I';
constexpr char kInMemfd = 'M';
}  // namespace

absl::StatusOr<EncodedMessage> EncodeMessage(
    const google::protobuf::MessageLite& message) {
  EncodedMessage encoded;
  encoded.bytes = message.ByteSizeLong();
  if (encoded.bytes > kMaxMessageBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("message of ", encoded.bytes, " bytes"));
  }
  if (encoded.bytes <= kMaxInlineBytes) {
    encoded.packet.reserve(encoded.bytes + 1);
    encoded.packet.push_back(kInline);
    message.AppendToString(&encoded.packet);
    return encoded;
  }
  encoded.packet.push_back(kInMemfd);
  ASSIGN_OR_RETURN(encoded.memfd,
                   SealedMemfd("paddock-message", message.SerializeAsString()));
  return encoded;
}

absl::Status SendEncoded(int socket, const EncodedMessage& message,
                         absl::Span<const int> descriptors) {
  if (!message.memfd.valid()) {
    return SendPacket(socket, message.packet, descriptors);
  }
  std::vector<int> all = {message.memfd.get()};
  all.insert(all.end(), descriptors.begin(), descriptors.end());
  return SendPacket(socket, message.packet, all);
}

absl::Status SendMessage(int socket,
                         const google::protobuf::MessageLite& message,
                         absl::Span<const int> descriptors) {
  ASSIGN_OR_RETURN(const EncodedMessage encoded, EncodeMessage(message));
  return SendEncoded(socket, encoded, descriptors);
}

absl::Status ReceiveMessage(int socket, google::protobuf::MessageLite* message,
                            std::vector<UniqueFd>* descriptors,
                            bool dont_wait) {
  ASSIGN_OR_RETURN(Packet packet, ReceivePacket(socket, kMaxInlineBytes + 1,
                                                dont_wait ? MSG_DONTWAIT : 0));
  // A message may hold secrets, and a worker's children are copies of it.
  std::string from_memfd;
  const absl::Cleanup wipe = [&] {
    explicit_bzero(packet.data.data(), packet.data.size());
    explicit_bzero(from_memfd.data(), from_memfd.size());
  };
  bool parsed = false;
  if (!packet.data.empty() && packet.data[0] == kInline) {
    parsed = message->ParseFromArray(packet.data.data() + 1,
                                     static_cast<int>(packet.data.size()) - 1);
  } else if (packet.data.size() == 1 && packet.data[0] == kInMemfd &&
             !packet.descriptors.empty()) {
    absl::StatusOr<std::string> data =
        ReadSealedMemfd(packet.descriptors[0].get(), kMaxMessageBytes);
    if (!data.ok()) return absl::InvalidArgumentError(data.status().message());
    from_memfd = *std::move(data);
    packet.descriptors.erase(packet.descriptors.begin());
    parsed = message->ParseFromString(from_memfd);
  }
  if (!parsed) return absl::InvalidArgumentError("malformed channel message");
  if (descriptors != nullptr) {
    *descriptors = std::move(packet.descriptors);
  } else if (!packet.descriptors.empty()) {
    return absl::InvalidArgumentError("unexpected descriptors");
  }
  return absl::OkStatus();
}

}  // namespace paddock
