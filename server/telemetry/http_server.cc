#include "server/telemetry/http_server.h"

#include <civetweb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "prometheus/text_serializer.h"

namespace paddock {
namespace {

struct Answer {
  const char* status;
  const char* headers;
  std::string body;
};

constexpr char kPlainText[] = "Content-Type: text/plain; charset=utf-8\r\n";

std::string MetricsText(
    const std::vector<const prometheus::Collectable*>& collected) {
  std::vector<prometheus::MetricFamily> families;
  for (const prometheus::Collectable* source : collected) {
    std::vector<prometheus::MetricFamily> more = source->Collect();
    std::move(more.begin(), more.end(), std::back_inserter(families));
  }
  return prometheus::TextSerializer().Serialize(families);
}

Answer AnswerTo(absl::string_view path,
                const std::vector<const prometheus::Collectable*>& collected,
                const std::function<bool()>& is_serving) {
  if (path == "/metrics") {
    return {"200 OK",
            "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
            MetricsText(collected)};
  }
  if (path == "/healthz") return {"200 OK", kPlainText, "ok\n"};
  if (path == "/readyz") {
    if (is_serving()) return {"200 OK", kPlainText, "serving\n"};
    return {"503 Service Unavailable", kPlainText, "not serving\n"};
  }
  return {"404 Not Found", kPlainText,
          "/metrics, /healthz and /readyz are here\n"};
}

// Where on the descriptor table the listeners of a young process stand.
constexpr int kMostDescriptors = 1024;

std::vector<bool> FindListeners() {
  std::vector<bool> found(kMostDescriptors);
  for (int fd = 0; fd < kMostDescriptors; ++fd) {
    int listens = 0;
    socklen_t size = sizeof(listens);
    found[fd] =
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 &&
        listens != 0;
  }
  return found;
}

// The descriptor that listens now and did not `before`, which civetweb keeps to
// itself; -1 if there is none.
int FindNewListener(const std::vector<bool>& before) {
  const std::vector<bool> now = FindListeners();
  for (int fd = 0; fd < kMostDescriptors; ++fd) {
    if (now[fd] && !before[fd]) return fd;
  }
  return -1;
}

// Connections whose client says nothing cost no thread for about this long:
// tcp(7). The time-out of requests comes after that.
void DeferSilentConnections(int listener) {
  const int seconds = 30;
  setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds,
             sizeof(seconds));
}

// Its messages are about bad clients; ours about a failed start come from
// mg_error_data.
int DropMessage(const mg_connection*, const char*) { return 1; }

}  // namespace

HttpServer::HttpServer(std::vector<const prometheus::Collectable*> collected,
                       std::function<bool()> is_serving)
    : collected_(std::move(collected)), is_serving_(std::move(is_serving)) {}

HttpServer::~HttpServer() {
  if (context_ == nullptr) return;
  // Its thread looks every two seconds whether it is to stop, and when the
  // listener has something to say.
  if (listener_ >= 0) shutdown(listener_, SHUT_RDWR);
  mg_stop(context_);
}

int HttpServer::Handle(mg_connection* connection, void* server) {
  const auto* self = static_cast<const HttpServer*>(server);
  const mg_request_info* request = mg_get_request_info(connection);
  const absl::string_view method = request->request_method;
  Answer answer = {"405 Method Not Allowed", "Allow: GET, HEAD\r\n", ""};
  if (method == "GET" || method == "HEAD") {
    answer = AnswerTo(request->local_uri == nullptr ? "" : request->local_uri,
                      self->collected_, self->is_serving_);
  }
  mg_printf(connection,
            "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
            answer.status, answer.headers, answer.body.size());
  if (method != "HEAD") {
    mg_write(connection, answer.body.data(), answer.body.size());
  }
  return 1;  // any number but 0: the request was handled
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(
    const std::string& address,
    std::vector<const prometheus::Collectable*> collected,
    std::function<bool()> is_serving) {
  // One scraper and one prober need few threads, but a connection holds one
  // until its request is there: so more of them and a short time-out.
  const char* options[] = {
      "listening_ports",    address.c_str(), "num_threads", "16",
      "request_timeout_ms", "1000",          nullptr};
  mg_callbacks callbacks = {};
  callbacks.log_message = DropMessage;
  mg_init_data init = {};
  init.callbacks = &callbacks;
  init.configuration_options = options;
  char text[256] = "";
  unsigned code = 0;
  mg_error_data error = {};
  error.code = &code;
  error.text = text;
  error.text_buffer_size = sizeof(text);

  mg_init_library(0);
  std::unique_ptr<HttpServer> server(
      new HttpServer(std::move(collected), std::move(is_serving)));
  const std::vector<bool> listeners = FindListeners();
  server->context_ = mg_start2(&init, &error);
  if (server->context_ == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve HTTP on ", address, ": ", text));
  }
  mg_set_request_handler(server->context_, "/", &HttpServer::Handle,
                         server.get());
  server->listener_ = FindNewListener(listeners);
  if (server->listener_ >= 0) DeferSilentConnections(server->listener_);
  return server;
}

int HttpServer::port() const {
  mg_server_port port = {};
  return mg_get_server_ports(context_, 1, &port) == 1 ? port.port : 0;
}

}  // namespace paddock
