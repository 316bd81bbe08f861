#ifndef PADDOCK_CLIENT_PADDOCK_CLIENT_H_
#define PADDOCK_CLIENT_PADDOCK_CLIENT_H_

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "paddock/v1/admin_service.grpc.pb.h"
#include "paddock/v1/execution_service.grpc.pb.h"

namespace paddock {

// Ends a call from another thread. Thread-safe. Must outlive the call.
class Canceller {
 public:
  // Ends the call that uses this object, now or when it starts: it returns
  // absl::CancelledError, and the server kills the job.
  void Cancel();

 private:
  friend class PaddockClient;
  // `context` is borrowed until Detach.
  void Attach(grpc::ClientContext* context);
  void Detach();

  std::mutex mutex_;
  bool cancelled_ = false;
  grpc::ClientContext* context_ = nullptr;
};

struct CallOptions {
  // The call's deadline, from now. When it passes the call ends with
  // DeadlineExceeded, and the server kills the job.
  absl::Duration timeout = absl::InfiniteDuration();
  // May be null. Borrowed for the call.
  Canceller* canceller = nullptr;
};

// A connection to one Paddock server. Thread-safe; one object serves many
// calls at a time.
//
// Errors of all calls: the status has the code of gRPC, and as message the
// server's with every detail (ErrorText). The encoded google.rpc.Status, where
// the server sent one, is the payload `kStatusPayload`. A call is never
// repeated by this class.
class PaddockClient {
 public:
  static constexpr char kStatusPayload[] =
      "type.googleapis.com/google.rpc.Status";
  // The largest response accepted. Servers keep to 3 MiB unless configured
  // otherwise.
  static constexpr int kMaxResponseBytes = 64 << 20;

  // `address` is "host:port", "unix:/path", a path that starts with '/', or
  // another target gRPC knows. Connects at the first call. Without encryption;
  // proxies of the environment are not used.
  explicit PaddockClient(const std::string& address);

  // Runs a job and waits for its result. A job that ended badly is no error.
  // InvalidArgument, without asking, if a string in `request` is not UTF-8.
  absl::StatusOr<v1::ExecuteResponse> Execute(const v1::ExecuteRequest& request,
                                              const CallOptions& options = {});

  absl::StatusOr<v1::GetServerInfoResponse> GetServerInfo(
      const CallOptions& options = {});

  // All workers, by id: every page.
  absl::StatusOr<std::vector<v1::Worker>> ListWorkers(
      const CallOptions& options = {});

 private:
  // Runs `call(&context)`, a stub's method, with `options`.
  template <typename Call>
  absl::Status Run(const CallOptions& options, const Call& call);

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ExecutionService::Stub> execution_;
  std::unique_ptr<v1::AdminService::Stub> admin_;
};

}  // namespace paddock

#endif  // PADDOCK_CLIENT_PADDOCK_CLIENT_H_
