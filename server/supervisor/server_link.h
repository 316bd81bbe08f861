#ifndef PADDOCK_SERVER_SUPERVISOR_SERVER_LINK_H_
#define PADDOCK_SERVER_SUPERVISOR_SERVER_LINK_H_

#include <deque>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "paddock/internal/v1/launch.pb.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// The supervisor's end of the server's control socket. Never blocks, because a
// server that hangs must not hang the supervisor: what the socket does not take
// waits here.
class ServerLink {
 public:
  // Makes `socket` non-blocking.
  static absl::StatusOr<ServerLink> Create(UniqueFd socket);

  // Sends `message`, now or by a later Flush(). ResourceExhausted if the server
  // has not read for far too long; Unavailable if it is gone.
  absl::Status Send(const internal::v1::SupervisorMessage& message,
                    UniqueFd descriptor = UniqueFd());
  absl::Status Flush();

  // nullopt: nothing is there. InvalidArgument: the server broke the protocol.
  absl::StatusOr<std::optional<internal::v1::ServerControl>> Receive();

  int fd() const { return socket_.get(); }
  bool wants_to_write() const { return !waiting_.empty(); }

 private:
  struct Waiting {
    internal::v1::SupervisorMessage message;
    UniqueFd descriptor;
  };

  explicit ServerLink(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
  std::deque<Waiting> waiting_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_SERVER_LINK_H_
