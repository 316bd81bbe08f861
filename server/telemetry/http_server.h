#ifndef PADDOCK_SERVER_TELEMETRY_HTTP_SERVER_H_
#define PADDOCK_SERVER_TELEMETRY_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "prometheus/collectable.h"

struct mg_context;
struct mg_connection;

namespace paddock {

// The plain HTTP side of the server:
//   GET /metrics   Prometheus text format
//   GET /healthz   200 while the process lives
//   GET /readyz    200 while the server serves, else 503
class HttpServer {
 public:
  // Listens on `address`, "host:port", and answers from threads of its own.
  // `is_serving` is called by them. What `collected` holds must outlive the
  // server.
  // Unavailable, with the reason, if it cannot listen there.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(
      const std::string& address,
      std::vector<const prometheus::Collectable*> collected,
      std::function<bool()> is_serving);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port it listens on, also where port 0 was asked for.
  int port() const;

 private:
  HttpServer(std::vector<const prometheus::Collectable*> collected,
             std::function<bool()> is_serving);
  static int Handle(mg_connection* connection, void* server);

  const std::vector<const prometheus::Collectable*> collected_;
  const std::function<bool()> is_serving_;
  mg_context* context_ = nullptr;
  int listener_ = -1;  // civetweb's
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_TELEMETRY_HTTP_SERVER_H_
