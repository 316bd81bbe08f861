// What a captured server sends, as a worker takes it.
#include "paddock/internal/v1/channel.pb.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/message_mutator.h"
#include "tests/fuzz/packet.h"
#include "tests/fuzz/run_spec_check.h"
#include "worker/base/socket.h"
#include "worker/convert.h"
#include "worker/sandbox/program_plan.h"
#include "worker/wire/channel.h"

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  paddock::fuzz::ServerPacket packet;
  return paddock::fuzz::MutateMessage(data, size, max_size, seed, &packet);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace paddock;
  fuzz::ServerPacket packet;
  if (!packet.ParseFromArray(data, size)) return 0;
  absl::StatusOr<SocketPair> channel = MakeSocketPair();
  FUZZ_CHECK(channel.ok());
  if (!fuzz::SendHostilePacket(channel->first.get(), fuzz::BodyOf(packet),
                               packet.carrier(), packet.more_descriptors())
           .ok()) {
    return 0;
  }
  internal::v1::ServerMessage message;
  const absl::Status status = ReceiveMessage(channel->second.get(), &message,
                                             nullptr, /*dont_wait=*/true);
  if (!status.ok()) {
    // A packet without a byte is the end of the channel.
    FUZZ_CHECK(absl::IsInvalidArgument(status) || absl::IsUnavailable(status));
    return 0;
  }
  if (!message.has_run()) return 0;
  const v1::Limits& max = fuzz::HostConfig().requests().max_limits();
  v1::Process* process = message.mutable_run()->mutable_process();
  absl::StatusOr<RunSpec> spec = ToRunSpec(*process, max);
  if (!spec.ok()) return 0;
  fuzz::ExpectHarmless(*spec, max);
  (void)EncodeProgramPlan(*spec);
  WipeEnvironment(process, &*spec);
  return 0;
}
