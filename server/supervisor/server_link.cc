#include "server/supervisor/server_link.h"

#include <fcntl.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "worker/base/status_macros.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {
// A start and an end of every worker there can be.
constexpr size_t kMostWaiting = 4096;
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

absl::StatusOr<std::optional<internal::v1::ServerControl>>
ServerLink::Receive() {
  internal::v1::ServerControl control;
  const absl::Status received =
      ReceiveMessage(socket_.get(), &control, nullptr, /*dont_wait=*/true);
  if (absl::IsDeadlineExceeded(received)) {
    return std::optional<internal::v1::ServerControl>();
  }
  RETURN_IF_ERROR(received);
  return std::optional(std::move(control));
}

}  // namespace paddock
