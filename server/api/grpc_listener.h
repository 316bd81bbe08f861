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
  struct Options {
    // All services, new ones for each listener.
    std::function<std::vector<std::unique_ptr<grpc::Service>>()> make_services;
    int64_t max_request_bytes = 0;
    // Of a job, once it has a worker: the largest wall time.
    absl::Duration longest_run;
    RpcMetrics* metrics = nullptr;  // must outlive the listener
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
