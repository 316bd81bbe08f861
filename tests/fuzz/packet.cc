#include "tests/fuzz/packet.h"

#include <sys/mman.h>
#include <unistd.h>

#include <vector>

#include "tests/fuzz/fuzz_check.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"

namespace paddock::fuzz {
namespace {

constexpr char kInline[] = "I";
constexpr char kInMemfd[] = "M";

UniqueFd UnsealedMemfd(const std::string& data) {
  UniqueFd fd(memfd_create("unsealed", MFD_CLOEXEC));
  FUZZ_CHECK(fd.valid() && WriteAll(fd.get(), data).ok());
  return fd;
}

UniqueFd Memfd(const std::string& data, bool sealed) {
  if (!sealed) return UnsealedMemfd(data);
  absl::StatusOr<UniqueFd> fd = SealedMemfd("sealed", data);
  FUZZ_CHECK(fd.ok());
  return *std::move(fd);
}

}  // namespace

absl::Status SendHostilePacket(int socket, const std::string& body,
                               Carrier carrier, int more_descriptors) {
  std::string packet = kInline + body;
  UniqueFd memfd;
  std::vector<int> descriptors;
  switch (carrier) {
    case CARRIER_SEALED_MEMFD:
    case CARRIER_UNSEALED_MEMFD:
      memfd = Memfd(body, carrier == CARRIER_SEALED_MEMFD);
      descriptors.push_back(memfd.get());
      packet = kInMemfd;
      break;
    case CARRIER_NO_MEMFD:
      packet = kInMemfd;
      break;
    case CARRIER_BARE:
      packet = body;
      break;
    default:
      break;
  }
  // None for half of the values, so that most packets have what is due.
  const int more = (more_descriptors & 15) - 8;
  for (int i = 0; i < more; ++i) descriptors.push_back(STDERR_FILENO);
  return SendPacket(socket, packet, descriptors);
}

}  // namespace paddock::fuzz
