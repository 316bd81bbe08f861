#include "server/api/grpc_listener.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstring>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/api/rpc_interceptor.h"
#include "worker/base/status_macros.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

// Messages of the largest size that may be on their way in, of one listener.
constexpr size_t kRequestsInTransit = 8;
constexpr size_t kLeastQuotaBytes = size_t{64} << 20;

// What health checks can name: the server and the services that do something.
constexpr const char* kServiceNames[] = {"", "paddock.v1.ExecutionService",
                                         "paddock.v1.AdminService"};

void SetUpPluginsOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

void BoundConnections(const GrpcListener::Options& options,
                      grpc::ServerBuilder* builder) {
  const auto set = [&](const char* argument, absl::Duration bound) {
    // The largest is taken for "never".
    builder->AddChannelArgument(
        argument, static_cast<int>(std::min<int64_t>(
                      absl::ToInt64Milliseconds(bound), INT_MAX - 1)));
  };
  const GrpcListener::ConnectionBounds& bounds = options.bounds;
  set(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, bounds.handshake);
  set(GRPC_ARG_KEEPALIVE_TIME_MS, bounds.keepalive);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, bounds.keepalive_timeout);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  set(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
      bounds.min_client_ping);
  set(GRPC_ARG_MAX_CONNECTION_IDLE_MS, bounds.max_idle);
  set(GRPC_ARG_MAX_CONNECTION_AGE_MS, bounds.max_age);
  set(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
      bounds.longest_queueing + options.longest_run);
}

void Configure(const GrpcListener::Options& options,
               grpc::ServerBuilder* builder) {
  // What is beyond max_request_bytes is refused by CheckRequest, which says
  // what is wrong; gRPC, which says nothing but two numbers, refuses what is
  // far more.
  builder->SetMaxReceiveMessageSize(static_cast<int>(
      std::min<int64_t>(options.max_request_bytes * 2, INT_MAX)));
  // A message that never ends is kept too, one for each stream: without a bound
  // on them together a few clients take all memory. Beyond it gRPC resets the
  // largest.
  grpc::ResourceQuota quota("requests");
  quota.Resize(std::max(
      kLeastQuotaBytes,
      static_cast<size_t>(options.max_request_bytes) * kRequestsInTransit));
  builder->SetResourceQuota(quota);
  builder->SetMaxSendMessageSize(-1);  // inline_budget_bytes bounds responses
  // By default two servers would share a port without a word.
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  BoundConnections(options, builder);
  // A few compressed bytes must not become max_request_bytes.
  builder->SetDefaultCompressionAlgorithm(GRPC_COMPRESS_NONE);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  // Only reflection is synchronous.
  builder->SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder->SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  std::vector<
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
      interceptors;
  interceptors.push_back(MakeMetricsInterceptorFactory(options.metrics));
  builder->experimental().SetInterceptorCreators(std::move(interceptors));
}

// gRPC says only that it could not listen: asks the kernel why.
std::string WhyNotListening(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(host.empty() ? nullptr : host.c_str(),
                  address.substr(colon + 1).c_str(), &hints, &found);
  if (error != 0) return gai_strerror(error);
  std::string reason = "gRPC refused it";
  for (const addrinfo* a = found; a != nullptr; a = a->ai_next) {
    const UniqueFd probe(
        socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0));
    // As gRPC binds: a port that only just closed is free.
    const int on = 1;
    setsockopt(probe.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(probe.get(), a->ai_addr, a->ai_addrlen) != 0 ||
        listen(probe.get(), 1) != 0) {
      reason = strerror(errno);
      break;
    }
  }
  freeaddrinfo(found);
  return reason;
}

}  // namespace

absl::Status GrpcListener::Start(const Options& options,
                                 const std::string& target) {
  SetUpPluginsOnce();
  grpc::ServerBuilder builder;
  Configure(options, &builder);
  services_ = options.make_services();
  for (const auto& service : services_) builder.RegisterService(service.get());
  builder.AddListeningPort(target, grpc::InsecureServerCredentials(), &port_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) return absl::UnavailableError("cannot listen");
  SetServing(false);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<GrpcListener>> GrpcListener::ListenTcp(
    const Options& options, const std::string& address) {
  std::unique_ptr<GrpcListener> listener(new GrpcListener());
  if (!listener->Start(options, address).ok()) {
    return absl::UnavailableError(absl::StrCat("cannot serve gRPC on ", address,
                                               ": ", WhyNotListening(address)));
  }
  return listener;
}

absl::StatusOr<std::unique_ptr<GrpcListener>> GrpcListener::ListenUnix(
    const Options& options, const std::string& path, unsigned mode) {
  std::unique_ptr<GrpcListener> listener(new GrpcListener());
  ASSIGN_OR_RETURN(listener->lock_, UnixSocketLock::Take(path));
  // Until chmod nobody else gets in.
  const mode_t old_mask = umask(0177);
  const absl::Status started =
      listener->Start(options, absl::StrCat("unix:", path));
  umask(old_mask);
  if (!started.ok()) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve gRPC on the Unix socket ", path));
  }
  if (chmod(path.c_str(), mode) != 0) {
    return ErrnoStatus(errno, absl::StrCat("chmod ", path));
  }
  return listener;
}

void GrpcListener::SetServing(bool serving) {
  for (const char* name : kServiceNames) {
    server_->GetHealthCheckService()->SetServingStatus(name, serving);
  }
}

void GrpcListener::Shutdown(absl::Duration grace) {
  server_->Shutdown(std::chrono::system_clock::now() +
                    absl::ToChronoMilliseconds(grace));
}

}  // namespace paddock
