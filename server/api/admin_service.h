#ifndef PADDOCK_SERVER_API_ADMIN_SERVICE_H_
#define PADDOCK_SERVER_API_ADMIN_SERVICE_H_

#include <vector>

#include "absl/time/time.h"
#include "paddock/config/v1/config.pb.h"
#include "paddock/v1/admin_service.grpc.pb.h"
#include "paddock/v1/enforcement.pb.h"
#include "server/scheduling/worker_pool.h"

namespace paddock {

// What an AdminService tells.
struct ServerFacts {
  const config::v1::Config* config = nullptr;
  const WorkerPool* pool = nullptr;
  absl::Time start_time;
  // Layers around the server process itself; the workers' come from the pool.
  std::vector<v1::LayerEnforcement> own_layers;
};

class AdminService final : public v1::AdminService::CallbackService {
 public:
  // `facts` must outlive the service.
  explicit AdminService(const ServerFacts* facts) : facts_(facts) {}

  grpc::ServerUnaryReactor* GetServerInfo(
      grpc::CallbackServerContext* context,
      const v1::GetServerInfoRequest* request,
      v1::GetServerInfoResponse* response) override;
  grpc::ServerUnaryReactor* ListWorkers(
      grpc::CallbackServerContext* context,
      const v1::ListWorkersRequest* request,
      v1::ListWorkersResponse* response) override;
  grpc::ServerUnaryReactor* Drain(grpc::CallbackServerContext* context,
                                  const v1::DrainRequest* request,
                                  v1::DrainResponse* response) override;

 private:
  const ServerFacts* const facts_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_API_ADMIN_SERVICE_H_
