#ifndef PADDOCK_SERVER_TELEMETRY_RPC_METRICS_H_
#define PADDOCK_SERVER_TELEMETRY_RPC_METRICS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace paddock {

// An RPC method the server has.
struct RpcMethod {
  std::string service;  // "paddock.v1.AdminService"
  std::string method;   // "ListWorkers"
  std::string type;     // "unary", "client_stream", "server_stream" or
                        // "bidi_stream"
};

// The metrics of go-grpc-prometheus, with its labels and spelling of codes,
// under our prefix. Each method has all its series from the start. Thread-safe.
class RpcMetrics {
 public:
  RpcMetrics(prometheus::Registry* registry,
             const std::vector<RpcMethod>& methods);

  // `full_name` is "/service/method". Methods the constructor was not told of
  // are not counted.
  void Started(const std::string& full_name);
  // `code` is the number of a grpc::StatusCode.
  void Handled(const std::string& full_name, int code, absl::Duration duration);

 private:
  struct Series {
    prometheus::Counter* started;
    std::vector<prometheus::Counter*> handled;  // by code
    prometheus::Histogram* seconds;
  };
  std::map<std::string, Series> series_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_TELEMETRY_RPC_METRICS_H_
