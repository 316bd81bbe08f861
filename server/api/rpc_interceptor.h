#ifndef PADDOCK_SERVER_API_RPC_INTERCEPTOR_H_
#define PADDOCK_SERVER_API_RPC_INTERCEPTOR_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>
#include <vector>

#include "server/telemetry/rpc_metrics.h"

namespace paddock {

// Every RPC of paddock.v1, from the descriptors, and those of health checks and
// reflection.
std::vector<RpcMethod> ServedMethods();

// Makes interceptors that count each RPC's beginning and end. `metrics` must
// outlive the server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>
MakeMetricsInterceptorFactory(RpcMetrics* metrics);

}  // namespace paddock

#endif  // PADDOCK_SERVER_API_RPC_INTERCEPTOR_H_
