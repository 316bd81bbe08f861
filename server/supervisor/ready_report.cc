#include "server/supervisor/ready_report.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/base/log_format.h"

namespace paddock {
namespace {

// `address` with the port that was bound.
std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':')), ":", port);
}

}  // namespace

std::string ReadyLine(const config::v1::Listen& listen,
                      const internal::v1::ServerReady& ready) {
  std::vector<std::string> places;
  if (ready.grpc_port() != 0) {
    places.push_back(WithPort(listen.grpc_address(), ready.grpc_port()));
  }
  if (!listen.unix_socket().empty()) {
    places.push_back(absl::StrCat("unix:", listen.unix_socket()));
  }
  std::string line = absl::StrCat("paddockd is ready: gRPC on ",
                                  absl::StrJoin(places, " and "));
  if (ready.http_port() != 0) {
    absl::StrAppend(&line, ", metrics on http://",
                    WithPort(listen.http_address(), ready.http_port()),
                    "/metrics");
  }
  return line;
}

std::string ReadyJson(const config::v1::Listen& listen,
                      const internal::v1::ServerReady& ready) {
  return absl::StrCat("{\"grpc_port\":", ready.grpc_port(),
                      ",\"http_port\":", ready.http_port(),
                      ",\"unix_socket\":", JsonString(listen.unix_socket()),
                      "}");
}

}  // namespace paddock
