#ifndef PADDOCK_TESTS_FUZZ_PACKET_H_
#define PADDOCK_TESTS_FUZZ_PACKET_H_

#include <string>

#include "absl/status/status.h"
#include "tests/fuzz/fuzz_input.pb.h"

namespace paddock::fuzz {

// Sends `body` as one packet of a channel, well-formed or not. An error if the
// other end is closed, or if the kernel takes no such packet.
absl::Status SendHostilePacket(int socket, const std::string& body,
                               Carrier carrier, int more_descriptors);

// The body of a ServerPacket, a WorkerPacket or a ControlPacket.
template <typename Packet>
std::string BodyOf(const Packet& packet) {
  return packet.has_raw() ? packet.raw()
                          : packet.message().SerializePartialAsString();
}

}  // namespace paddock::fuzz

#endif  // PADDOCK_TESTS_FUZZ_PACKET_H_
