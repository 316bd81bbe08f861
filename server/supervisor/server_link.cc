#include "server/supervisor/server_link.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "worker/base/status_macros.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {

using internal::v1::ServerControl;

// A start and an end of every worker there can be.
constexpr size_t kMostWaiting = 4096;

bool IsPort(int32_t number) { return number >= 0 && number <= 65535; }

// What the supervisor would make of any slot and incarnation is harmless:
// WorkerFleet knows its own. A next server would be told to listen on a port.
absl::Status CheckControl(const ServerControl& control) {
  if (control.message_case() == ServerControl::MESSAGE_NOT_SET) {
    return absl::InvalidArgumentError("a message without content");
  }
  if (!IsPort(control.ready().grpc_port()) ||
      !IsPort(control.ready().http_port())) {
    return absl::InvalidArgumentError("a port above 65535, or below 0");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ServerLink> ServerLink::Create(UniqueFd socket) {
  if (fcntl(socket.get(), F_SETFL, O_NONBLOCK) != 0) {
    return ErrnoStatus(errno, "fcntl(O_NONBLOCK)");
  }
  return ServerLink(std::move(socket));
}

absl::Status ServerLink::Send(const internal::v1::SupervisorMessage& message,
                              UniqueFd descriptor) {
  if (waiting_.size() >= kMostWaiting) {
    return absl::ResourceExhaustedError("the server does not read");
  }
  waiting_.push_back({message, std::move(descriptor)});
  return Flush();
}

absl::Status ServerLink::Flush() {
  while (!waiting_.empty()) {
    const Waiting& next = waiting_.front();
    std::vector<int> descriptors;
    if (next.descriptor.valid()) descriptors.push_back(next.descriptor.get());
    const absl::Status sent =
        SendMessage(socket_.get(), next.message, descriptors);
    if (ErrnoOf(sent) == EAGAIN) return absl::OkStatus();
    RETURN_IF_ERROR(sent);
    waiting_.pop_front();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<ServerControl>> ServerLink::Receive() {
  ServerControl control;
  const absl::Status received =
      ReceiveMessage(socket_.get(), &control, nullptr, /*dont_wait=*/true);
  if (absl::IsDeadlineExceeded(received)) {
    return std::optional<ServerControl>();
  }
  RETURN_IF_ERROR(received);
  RETURN_IF_ERROR(CheckControl(control));
  return std::optional(std::move(control));
}

}  // namespace paddock
