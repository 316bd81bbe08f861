#ifndef PADDOCK_SERVER_API_EXECUTION_SERVICE_H_
#define PADDOCK_SERVER_API_EXECUTION_SERVICE_H_

#include "paddock/config/v1/config.pb.h"
#include "paddock/v1/execution_service.grpc.pb.h"
#include "server/jobs/job_observer.h"
#include "server/jobs/job_runner.h"
#include "server/scheduling/worker_pool.h"

namespace paddock {

// Checks, completes and runs what clients send, and answers once the job has
// ended. A call that is cancelled, or whose deadline passes, takes its job
// along.
class ExecutionService final : public v1::ExecutionService::CallbackService {
 public:
  // All must outlive the service. `observer` hears of requests that never
  // become a job of `runner`. `pool` knows what this host can enforce.
  ExecutionService(const config::v1::Config* config, const WorkerPool* pool,
                   JobRunner* runner, JobObserver* observer)
      : config_(config), pool_(pool), runner_(runner), observer_(observer) {}

  grpc::ServerUnaryReactor* Execute(grpc::CallbackServerContext* context,
                                    const v1::ExecuteRequest* request,
                                    v1::ExecuteResponse* response) override;
  grpc::ServerBidiReactor<v1::ExecuteStreamRequest, v1::ExecuteStreamResponse>*
  ExecuteStream(grpc::CallbackServerContext* context) override;

 private:
  const config::v1::Config* const config_;
  const WorkerPool* const pool_;
  JobRunner* const runner_;
  JobObserver* const observer_;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_API_EXECUTION_SERVICE_H_
