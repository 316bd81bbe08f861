#include "server/telemetry/rpc_metrics.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/telemetry/metrics.h"

namespace paddock {
namespace {

// By number, in the Go spelling.
constexpr const char* kCodes[] = {"OK",
                                  "Canceled",
                                  "Unknown",
                                  "InvalidArgument",
                                  "DeadlineExceeded",
                                  "NotFound",
                                  "AlreadyExists",
                                  "PermissionDenied",
                                  "ResourceExhausted",
                                  "FailedPrecondition",
                                  "Aborted",
                                  "OutOfRange",
                                  "Unimplemented",
                                  "Internal",
                                  "Unavailable",
                                  "DataLoss",
                                  "Unauthenticated"};
constexpr int kUnknownCode = 2;

}  // namespace

RpcMetrics::RpcMetrics(prometheus::Registry* registry,
                       const std::vector<RpcMethod>& methods) {
  auto& started = prometheus::BuildCounter()
                      .Name("paddock_grpc_server_started_total")
                      .Help("RPCs that began on the server.")
                      .Register(*registry);
  auto& handled = prometheus::BuildCounter()
                      .Name("paddock_grpc_server_handled_total")
                      .Help("RPCs that ended on the server, by code.")
                      .Register(*registry);
  auto& seconds = prometheus::BuildHistogram()
                      .Name("paddock_grpc_server_handling_seconds")
                      .Help(
                          "Time from the beginning of an RPC to its end on "
                          "the server, seconds.")
                      .Register(*registry);
  for (const RpcMethod& method : methods) {
    std::map<std::string, std::string> labels = {
        {"grpc_service", method.service},
        {"grpc_method", method.method},
        {"grpc_type", method.type}};
    Series series;
    series.started = &started.Add(labels);
    series.seconds = &seconds.Add(labels, SecondsBuckets());
    for (const char* code : kCodes) {
      labels["grpc_code"] = code;
      series.handled.push_back(&handled.Add(labels));
    }
    series_[absl::StrCat("/", method.service, "/", method.method)] =
        std::move(series);
  }
}

void RpcMetrics::Started(const std::string& full_name) {
  auto it = series_.find(full_name);
  if (it != series_.end()) it->second.started->Increment();
}

void RpcMetrics::Handled(const std::string& full_name, int code,
                         absl::Duration duration) {
  auto it = series_.find(full_name);
  if (it == series_.end()) return;
  const Series& series = it->second;
  const bool known =
      code >= 0 && code < static_cast<int>(series.handled.size());
  series.handled[known ? code : kUnknownCode]->Increment();
  series.seconds->Observe(absl::ToDoubleSeconds(duration));
}

}  // namespace paddock
