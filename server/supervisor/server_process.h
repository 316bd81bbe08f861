#ifndef PADDOCK_SERVER_SUPERVISOR_SERVER_PROCESS_H_
#define PADDOCK_SERVER_SUPERVISOR_SERVER_PROCESS_H_

#include <sys/types.h>

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "paddock/internal/v1/launch.pb.h"
#include "server/supervisor/backoff.h"
#include "server/supervisor/server_link.h"
#include "server/supervisor/service_user.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// What the server is started with.
struct ServerProgram {
  UniqueFd executable;  // of this very program
  config::v1::Config config;
  ServiceUser user;
};

// The process that talks to clients. Process: supervisor.
class ServerProcess {
 public:
  explicit ServerProcess(ServerProgram program)
      : program_(std::move(program)) {}

  absl::Status Start();
  bool running() const { return pid_ != 0; }
  pid_t pid() const { return pid_; }
  const config::v1::Config& config() const { return program_.config; }
  // Null while it does not run, and after DropLink().
  ServerLink* link() { return link_.has_value() ? &*link_ : nullptr; }
  void DropLink() { link_.reset(); }

  // It listens on `ready`'s ports. A server that is started after it takes
  // these too, where the configuration says "any".
  void KeepPorts(const internal::v1::ServerReady& ready);

  // To be called when it has ended. The delay before the next Start().
  absl::Duration HandleEnd(absl::Time now);

  // Sends `signal_number` to it if it runs.
  void Signal(int signal_number) const;

 private:
  ServerProgram program_;
  pid_t pid_ = 0;
  std::optional<ServerLink> link_;
  absl::Time started_at_;
  Backoff backoff_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_SERVER_PROCESS_H_
