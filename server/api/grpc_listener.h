#ifndef PADDOCK_SERVER_API_GRPC_LISTENER_H_
#define PADDOCK_SERVER_API_GRPC_LISTENER_H_

#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/api/unix_socket_lock.h"
#include "server/telemetry/rpc_metrics.h"

namespace paddock {

// One gRPC server object that listens at one address. Each Unix socket gets one
// of its own, so that what a call may do can depend on how it came in.
class GrpcListener {
 public:
  // How long a connection may last that is not worth it. Milliseconds count;
  // each from 1 ms to 24 days.
  struct ConnectionBounds {
    // Until the client has said that it speaks HTTP/2; gRPC's own default.
    absl::Duration handshake = absl::Minutes(2);
    // A client that says nothing for so long is asked whether it is there...
    absl::Duration keepalive = absl::Minutes(1);
    // ...and is taken for gone without an answer within this.
    absl::Duration keepalive_timeout = absl::Seconds(20);
    // A client that asks us more often, and does not call, is sent away.
    absl::Duration min_client_ping = absl::Seconds(10);
    // Without calls. A client that wants something again connects again, unseen
    // by who calls.
    absl::Duration max_idle = absl::Minutes(5);
    // Then it takes no more calls: clients come back and find whatever stands
    // behind the name by then.
    absl::Duration max_age = absl::Minutes(10);
    // What a job may wait for its turn. Calls of an aged connection end with
    // that and Options::longest_run behind them: by then it is one whose
    // message or answer trickles.
    absl::Duration longest_queueing = absl::Hours(24);
  };
  struct Options {
    // All services, new ones for each listener.
    std::function<std::vector<std::unique_ptr<grpc::Service>>()> make_services;
    int64_t max_request_bytes = 0;
    // Of a job, once it has a worker: the largest wall time.
    absl::Duration longest_run;
    RpcMetrics* metrics = nullptr;  // must outlive the listener
    ConnectionBounds bounds = {};
  };

  // Listens on `address`, "host:port". Unavailable if that cannot be.
  static absl::StatusOr<std::unique_ptr<GrpcListener>> ListenTcp(
      const Options& options, const std::string& address);
  // Listens on the Unix socket `path`, which gets the permissions `mode`.
  // FailedPrecondition if another server has it.
  static absl::StatusOr<std::unique_ptr<GrpcListener>> ListenUnix(
      const Options& options, const std::string& path, unsigned mode);

  // For TCP, also where port 0 was asked for.
  int port() const { return port_; }
  // What health checks tell of the server and of each service.
  void SetServing(bool serving);
  // Refuses new connections and calls, and ends those left after `grace`.
  void Shutdown(absl::Duration grace);

 private:
  GrpcListener() = default;
  absl::Status Start(const Options& options, const std::string& target);

  std::optional<UnixSocketLock> lock_;  // outlives the server's socket
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_API_GRPC_LISTENER_H_
