#include "server/api/rpc_interceptor.h"

#include <chrono>
#include <string>

#include "google/protobuf/descriptor.h"
#include "paddock/v1/admin_service.pb.h"
#include "paddock/v1/execution_service.pb.h"
#include "paddock/v1/image_service.pb.h"
#include "paddock/v1/job_service.pb.h"

namespace paddock {
namespace {

using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;
using grpc::experimental::ServerRpcInfo;

class MetricsInterceptor final : public Interceptor {
 public:
  MetricsInterceptor(RpcMetrics* metrics, const char* method)
      : metrics_(metrics),
        method_(method),
        start_(std::chrono::steady_clock::now()) {
    metrics_->Started(method_);
  }

  void Intercept(InterceptorBatchMethods* methods) override {
    // Just before the status goes out: a client that has it finds it counted.
    if (methods->QueryInterceptionHookPoint(
            InterceptionHookPoints::PRE_SEND_STATUS)) {
      metrics_->Handled(
          method_, methods->GetSendStatus().error_code(),
          absl::FromChrono(std::chrono::steady_clock::now() - start_));
    }
    methods->Proceed();
  }

 private:
  RpcMetrics* const metrics_;
  const std::string method_;
  const std::chrono::steady_clock::time_point start_;
};

class Factory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(RpcMetrics* metrics) : metrics_(metrics) {}
  Interceptor* CreateServerInterceptor(ServerRpcInfo* info) override {
    return new MetricsInterceptor(metrics_, info->method());
  }

 private:
  RpcMetrics* const metrics_;
};

const char* TypeOf(const google::protobuf::MethodDescriptor& method) {
  if (method.client_streaming()) {
    return method.server_streaming() ? "bidi_stream" : "client_stream";
  }
  return method.server_streaming() ? "server_stream" : "unary";
}

}  // namespace

std::vector<RpcMethod> ServedMethods() {
  std::vector<RpcMethod> methods = {
      {"grpc.health.v1.Health", "Check", "unary"},
      {"grpc.health.v1.Health", "Watch", "server_stream"},
      {"grpc.reflection.v1alpha.ServerReflection", "ServerReflectionInfo",
       "bidi_stream"},
  };
  for (const google::protobuf::FileDescriptor* file :
       {v1::ExecuteRequest::descriptor()->file(),
        v1::GetJobRequest::descriptor()->file(),
        v1::GetImageRequest::descriptor()->file(),
        v1::GetServerInfoRequest::descriptor()->file()}) {
    const google::protobuf::ServiceDescriptor* service = file->service(0);
    for (int i = 0; i < service->method_count(); ++i) {
      const auto* method = service->method(i);
      methods.push_back(
          {service->full_name(), method->name(), TypeOf(*method)});
    }
  }
  return methods;
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeMetricsInterceptorFactory(RpcMetrics* metrics) {
  return std::make_unique<Factory>(metrics);
}

}  // namespace paddock
