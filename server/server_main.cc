// Theory of operation.
//   main thread   confines the process, starts everything, gives spare memory
//                 back until SIGTERM comes, then drains.
//   pool thread   owns the control socket and every worker's channel; completes
//                 jobs (server/scheduling/worker_pool.h).
//   gRPC threads  decode, check, submit; cancel what a client gave up.
//   HTTP threads  metrics and probes.
// Who dies when who dies: the supervisor gone, the server exits at once, and
// with it its ends of the channels, at which workers kill what they run. A
// worker gone, its run goes to another.
#include "server/server_main.h"

#include <grpc/support/log.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/stubs/logging.h"
#include "server/api/admin_service.h"
#include "server/api/execution_service.h"
#include "server/api/grpc_listener.h"
#include "server/api/rpc_interceptor.h"
#include "server/api/unbuilt_services.h"
#include "server/confine.h"
#include "server/jobs/duration.h"
#include "server/jobs/job_runner.h"
#include "server/memory_trim.h"
#include "server/observers.h"
#include "server/scheduling/worker_pool.h"
#include "server/shutdown_signals.h"
#include "server/telemetry/gauges.h"
#include "server/telemetry/http_server.h"
#include "server/telemetry/log.h"
#include "server/telemetry/metrics.h"
#include "server/telemetry/process_gauges.h"
#include "server/telemetry/rpc_metrics.h"
#include "worker/base/status_macros.h"
#include "worker/wire/channel.h"

namespace paddock {
namespace {

// Answers that are on their way when the last job has ended.
constexpr absl::Duration kLastAnswers = absl::Seconds(1);
// Killed jobs' answers.
constexpr absl::Duration kKillPatience = absl::Seconds(3);
constexpr absl::Duration kDrainPoll = absl::Milliseconds(20);
constexpr absl::Duration kTrimPeriod = absl::Seconds(2);

void LogFromGrpc(gpr_log_func_args* record) {
  if (record->severity < GPR_LOG_SEVERITY_ERROR) return;
  spdlog::warn("gRPC: {}", record->message);
}

// Libraries that would print lines of their own for what clients send.
void SilenceLibraries() {
  google::protobuf::SetLogHandler(nullptr);
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  gpr_set_log_function(LogFromGrpc);
}

WorkerPool::Options PoolOptions(const config::v1::Config& config) {
  WorkerPool::Options options;
  options.slots = config.workers().count();
  options.queue.capacity = config.requests().queue_capacity();
  options.queue.max_bytes = config.requests().queue_bytes();
  options.memory_budget_bytes = config.requests().memory_budget_bytes();
  return options;
}

class Server {
 public:
  Server(const config::v1::Config& config, int control,
         std::vector<v1::LayerEnforcement> layers, ShutdownSignals signals)
      : config_(config),
        control_(control),
        signals_(std::move(signals)),
        metrics_(&registry_, ServerObserver::LabelSets(config)),
        rpc_metrics_(&registry_, ServedMethods()),
        observer_(&metrics_, Events()),
        pool_(PoolOptions(config), control, &observer_),
        runner_(&pool_, &observer_, config.requests().inline_budget_bytes()),
        pool_gauges_([this] { return GaugesOf(pool_.Snapshot()); }) {
    facts_ = {.config = &config_,
              .pool = &pool_,
              .start_time = absl::Now(),
              .own_layers = std::move(layers)};
  }

  // Listens; tells the supervisor only when jobs can run.
  absl::Status Start() {
    RETURN_IF_ERROR(ListenGrpc());
    RETURN_IF_ERROR(ListenHttp());
    return pool_.Start();
  }

  // Serves until SIGTERM, then drains.
  void Run() {
    for (;;) {
      const ShutdownSignals::Event event = signals_.Wait(kTrimPeriod);
      if (event == ShutdownSignals::Event::kNothing) TrimMemory();
      if (event == ShutdownSignals::Event::kWoken) FollowAvailability();
      if (event == ShutdownSignals::Event::kStop) break;
      if (event == ShutdownSignals::Event::kStopNow) break;
    }
    Drain();
  }

 private:
  ServerObserver::Events Events();
  absl::Status ListenGrpc();
  absl::Status ListenHttp();
  std::vector<std::unique_ptr<grpc::Service>> MakeServices();
  void FollowAvailability();
  void SetServing(bool serving);
  void Drain();
  bool WaitOrStopNow(absl::Duration patience,
                     const std::function<bool()>& is_done);

  // In the order of dependence: destroyed from the last to the first.
  const config::v1::Config& config_;
  const int control_;
  ShutdownSignals signals_;
  prometheus::Registry registry_;
  Metrics metrics_;
  RpcMetrics rpc_metrics_;
  ServerObserver observer_;
  std::atomic<bool> available_ = false;
  std::atomic<bool> serving_ = false;
  WorkerPool pool_;
  JobRunner runner_;
  ServerFacts facts_;
  PoolGaugeCollector pool_gauges_;
  ProcessGaugeCollector process_gauges_;
  std::unique_ptr<HttpServer> http_;
  std::vector<std::unique_ptr<GrpcListener>> listeners_;
  int grpc_port_ = 0;
  bool reported_ready_ = false;
};

ServerObserver::Events Server::Events() {
  return {.on_available =
              [this](bool available) {
                available_ = available;
                signals_.Wake();
              },
          .on_supervisor_gone =
              [](const std::string& reason) {
                spdlog::error("the supervisor is gone: {}", reason);
                _exit(1);
              }};
}

std::vector<std::unique_ptr<grpc::Service>> Server::MakeServices() {
  std::vector<std::unique_ptr<grpc::Service>> services = MakeUnbuiltServices();
  services.push_back(std::make_unique<ExecutionService>(&config_, facts_.pool,
                                                        &runner_, &observer_));
  services.push_back(std::make_unique<AdminService>(&facts_));
  return services;
}

absl::Status Server::ListenGrpc() {
  const config::v1::Listen& listen = config_.listen();
  const GrpcListener::Options options = {
      .make_services = [this] { return MakeServices(); },
      .max_request_bytes = config_.requests().max_request_bytes(),
      .longest_run = FromProto(config_.requests().max_limits().wall_time()),
      .metrics = &rpc_metrics_};
  // The socket first: it has a lock, so a second server stops here.
  if (!listen.unix_socket().empty()) {
    ASSIGN_OR_RETURN(
        std::unique_ptr<GrpcListener> listener,
        GrpcListener::ListenUnix(options, listen.unix_socket(),
                                 std::stoul(listen.unix_socket_mode(), nullptr,
                                            /*base=*/8)));
    listeners_.push_back(std::move(listener));
    spdlog::info("serving gRPC on unix:{}", listen.unix_socket());
  }
  if (!listen.grpc_address().empty()) {
    ASSIGN_OR_RETURN(std::unique_ptr<GrpcListener> listener,
                     GrpcListener::ListenTcp(options, listen.grpc_address()));
    grpc_port_ = listener->port();
    listeners_.push_back(std::move(listener));
    spdlog::info("serving gRPC on {}, port {}", listen.grpc_address(),
                 grpc_port_);
  }
  return absl::OkStatus();
}

absl::Status Server::ListenHttp() {
  const std::string& address = config_.listen().http_address();
  if (address.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(
      http_,
      HttpServer::Start(address, {&registry_, &pool_gauges_, &process_gauges_},
                        [this] { return serving_.load(); }));
  spdlog::info("serving HTTP on {}, port {}", address, http_->port());
  return absl::OkStatus();
}

void Server::FollowAvailability() {
  const bool available = available_;
  SetServing(available);
  if (!available || reported_ready_) return;
  reported_ready_ = true;
  internal::v1::ServerControl control;
  control.mutable_ready()->set_grpc_port(grpc_port_);
  control.mutable_ready()->set_http_port(http_ ? http_->port() : 0);
  if (const absl::Status status = SendMessage(control_, control);
      !status.ok()) {
    spdlog::error("cannot tell the supervisor: {}",
                  std::string(status.message()));
  }
}

void Server::SetServing(bool serving) {
  serving_ = serving;
  for (const auto& listener : listeners_) listener->SetServing(serving);
}

// False if the supervisor wants an end now. `is_done` is asked again and again;
// null: the whole of `patience` is waited for.
bool Server::WaitOrStopNow(absl::Duration patience,
                           const std::function<bool()>& is_done) {
  const absl::Time deadline = absl::Now() + patience;
  while (absl::Now() < deadline && (!is_done || !is_done())) {
    const absl::Duration wait = std::min(deadline - absl::Now(), kDrainPoll);
    if (signals_.Wait(wait) == ShutdownSignals::Event::kStopNow) return false;
  }
  return true;
}

void Server::Drain() {
  const config::v1::Shutdown& shutdown = config_.shutdown();
  spdlog::info("stopping: no new jobs after {}, running ones have {}",
               absl::FormatDuration(FromProto(shutdown.drain_delay())),
               absl::FormatDuration(FromProto(shutdown.grace())));
  metrics_.SetDraining(true);
  SetServing(false);
  const auto idle = [this] {
    return runner_.WaitUntilIdle(absl::ZeroDuration());
  };
  bool patient = WaitOrStopNow(FromProto(shutdown.drain_delay()), nullptr);
  runner_.RefuseNew();
  if (patient) patient = WaitOrStopNow(FromProto(shutdown.grace()), idle);
  if (!idle()) {
    spdlog::warn("killing the jobs that still run");
    runner_.KillAll();
    runner_.WaitUntilIdle(patient ? kKillPatience : kLastAnswers);
  }
  const absl::Time end = absl::Now() + kLastAnswers;
  for (const auto& listener : listeners_) {
    listener->Shutdown(std::max(end - absl::Now(), absl::ZeroDuration()));
  }
  spdlog::info("stopped");
}

}  // namespace

int RunServer(const internal::v1::ServerLaunch& launch, UniqueFd control) {
  const config::v1::Config& config = launch.config();
  // First: a SIGTERM that comes earlier ends the process without a word.
  absl::StatusOr<ShutdownSignals> signals = ShutdownSignals::Block();
  SetUpLog(config.log());
  SilenceLibraries();
  absl::StatusOr<std::vector<v1::LayerEnforcement>> layers =
      ConfineServer(config);
  if (!layers.ok()) {
    spdlog::error("cannot confine the server: {}",
                  std::string(layers.status().message()));
    return 1;
  }
  for (const v1::LayerEnforcement& layer : *layers) {
    if (layer.state() != v1::ENFORCEMENT_STATE_ENFORCED) {
      spdlog::warn("{} is not enforced: {}", layer.layer(), layer.mechanism());
    }
  }
  if (!signals.ok()) {
    spdlog::error("cannot wait for signals: {}",
                  std::string(signals.status().message()));
    return 1;
  }
  Server server(config, control.get(), *std::move(layers), *std::move(signals));
  if (const absl::Status status = server.Start(); !status.ok()) {
    spdlog::error("{}", std::string(status.message()));
    return 1;
  }
  server.Run();
  return 0;
}

}  // namespace paddock
