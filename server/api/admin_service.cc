#include "server/api/admin_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "server/api/error_status.h"
#include "server/api/page_token.h"
#include "server/jobs/duration.h"

namespace paddock {
namespace {

constexpr int kDefaultPageSize = 100;
constexpr int kMaxPageSize = 1000;

grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                 grpc::Status status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(std::move(status));
  return reactor;
}

v1::Worker WorkerOf(const WorkerInfo& info) {
  v1::Worker worker;
  worker.set_id(info.slot);
  worker.set_state(info.state);
  if (info.start_time != absl::InfinitePast()) {
    *worker.mutable_start_time() = ToProto(info.start_time);
  }
  worker.set_processes_run(info.processes_run);
  return worker;
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::GetServerInfo(
    grpc::CallbackServerContext* context, const v1::GetServerInfoRequest*,
    v1::GetServerInfoResponse* response) {
  const config::v1::Config& config = *facts_->config;
  internal::v1::WorkerReady enforcement = facts_->pool->Enforcement();
  response->set_version(PADDOCK_VERSION);
  *response->mutable_start_time() = ToProto(facts_->start_time);
  response->set_worker_count(config.workers().count());
  *response->mutable_default_limits() = config.requests().default_limits();
  *response->mutable_max_limits() = config.requests().max_limits();
  response->set_max_request_bytes(config.requests().max_request_bytes());
  response->set_inline_budget_bytes(config.requests().inline_budget_bytes());
  response->set_memory_budget_bytes(config.requests().memory_budget_bytes());
  response->mutable_limits()->Swap(enforcement.mutable_limits());
  response->mutable_layers()->Swap(enforcement.mutable_layers());
  for (const v1::LayerEnforcement& layer : facts_->own_layers) {
    *response->add_layers() = layer;
  }
  for (const config::v1::Image& image : config.sandbox().images()) {
    response->add_images(image.name());
  }
  response->set_default_image(config.sandbox().default_image());
  *response->mutable_profiles() = config.sandbox().profiles();
  return Answer(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* AdminService::ListWorkers(
    grpc::CallbackServerContext* context, const v1::ListWorkersRequest* request,
    v1::ListWorkersResponse* response) {
  const PoolSnapshot snapshot = facts_->pool->Snapshot();
  const int count = static_cast<int>(snapshot.workers.size());
  const std::optional<int> first = FirstOfPage(request->page_token(), count);
  std::vector<FieldViolation> violations;
  if (request->page_size() < 0) {
    violations.push_back({"page_size", "must not be negative"});
  }
  if (!first) {
    violations.push_back(
        {"page_token", "must be empty or a next_page_token of this server"});
  }
  if (!violations.empty()) return Answer(context, InvalidArgument(violations));

  const int size = request->page_size() == 0
                       ? kDefaultPageSize
                       : std::min(request->page_size(), kMaxPageSize);
  const int end = std::min(count, *first + size);
  for (int i = *first; i < end; ++i) {
    *response->add_workers() = WorkerOf(snapshot.workers[i]);
  }
  if (end < count) {
    response->set_next_page_token(PageToken(end));
  }
  return Answer(context, grpc::Status::OK);
}

grpc::ServerUnaryReactor* AdminService::Drain(
    grpc::CallbackServerContext* context, const v1::DrainRequest*,
    v1::DrainResponse*) {
  return Answer(context, UnimplementedRpc("paddock.v1.AdminService.Drain"));
}

}  // namespace paddock
