#include "server/api/execution_service.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "server/api/error_status.h"
#include "server/api/job_check.h"
#include "server/jobs/job_id.h"
#include "server/jobs/process_defaults.h"
#include "worker/wire/cpus.h"
#include "worker/wire/layers.h"

namespace paddock {
namespace {

constexpr char kJobIdKey[] = "paddock-job-id";

using Clock = std::chrono::system_clock;  // that of gRPC's deadlines

// What the caller of a cancelled RPC that began at `begin` was told by its own
// side. That ends at the deadline too, before we do: grpc-timeout is rounded
// up, by 1 % at most, and has travelled.
grpc::Status EndOfCancelled(Clock::time_point begin,
                            Clock::time_point deadline) {
  const Clock::duration late =
      (deadline - begin) / 100 + std::chrono::milliseconds(10);
  if (Clock::now() >= deadline - late) {
    return {grpc::StatusCode::DEADLINE_EXCEEDED, "the deadline has passed"};
  }
  return {grpc::StatusCode::CANCELLED, "the client gave up"};
}

// One Execute call. gRPC deletes it through OnDone, after Finish and after a
// running OnCancel.
class ExecuteCall final : public grpc::ServerUnaryReactor {
 public:
  ExecuteCall(grpc::CallbackServerContext* context,
              v1::ExecuteResponse* response, JobRunner* runner,
              JobObserver* observer)
      : context_(context),
        response_(response),
        runner_(runner),
        observer_(observer),
        begin_(Clock::now()) {
    label_.id = NewJobId();
    context_->AddTrailingMetadata(kJobIdKey, label_.id);
  }

  void Begin(const config::v1::Config& config, const WorkerPool& pool,
             const v1::ExecuteRequest& request) {
    if (!Passes(CheckRequest(config, request))) return;
    label_.request_id = request.request_id();
    label_.labels.insert(request.job().labels().begin(),
                         request.job().labels().end());
    v1::JobSpec spec = request.job();
    CompleteProcess(config, spec.mutable_process());
    label_.profile = spec.process().profile();
    if (!Passes(CheckCompleteProcess(config, spec.process()))) return;
    if (!CanBeEnforced(config, pool, spec.process())) return;
    Run(std::move(spec));
  }

  void OnCancel() override {
    if (job_ != nullptr) runner_->Cancel(job_);
  }

  void OnDone() override { delete this; }

 private:
  // Answers the call if the check found something.
  bool Passes(const JobCheck& check) {
    if (!check.violations.empty()) {
      observer_->OnRejected(label_, Rejection::kInvalidArgument);
      Finish(InvalidArgument(check.violations));
    } else if (!check.unimplemented.empty()) {
      observer_->OnRejected(label_, Rejection::kUnimplemented);
      Finish(UnimplementedFields(check.unimplemented));
    }
    return check.ok();
  }

  // Answers the call if a limit is beyond this host.
  bool CanBeEnforced(const config::v1::Config& config, const WorkerPool& pool,
                     const v1::Process& process) {
    if (LimitsCpus(process.limits().cpus(), config.sandbox().cpuset()) &&
        !pool.AllowsLayer(kCpusLayer)) {
      return RefuseUnenforceable(
          "job.process.limits.cpus",
          "this host gives the service no cpu controller, so nothing can hold "
          "a program to fewer CPUs; the operator can allow to ignore that by "
          "cgroup.degrade");
    }
    if (process.network() == v1::NETWORK_LOOPBACK &&
        !pool.AllowsLayer(kLoopbackLayer)) {
      return RefuseUnenforceable(
          "job.process.network",
          "this host does not tell what sockets on a loopback interface hold, "
          "so nothing can hold them to the memory limit; the operator can "
          "load the modules tcp_diag and udp_diag and start the service again; "
          "the log at its start says more");
    }
    return true;
  }

  bool RefuseUnenforceable(const std::string& field,
                           const std::string& description) {
    observer_->OnRejected(label_, Rejection::kUnenforceable);
    Finish(UnenforceableLimit(field, description));
    return false;
  }

  void Run(v1::JobSpec spec) {
    response_->set_job_id(label_.id);
    // The job may end before Start returns. gRPC keeps the answer back, and
    // with it this object, and does not call OnCancel, until the service's
    // method has returned: ServerUnaryReactor.
    job_ = runner_->Start(label_, std::move(spec),
                          [this](JobEnd end) { Answer(std::move(end)); });
  }

  void Answer(JobEnd end) {
    // Nobody gets it, but it is counted.
    if (context_->IsCancelled()) {
      Finish(EndOfCancelled(begin_, context_->deadline()));
      return;
    }
    if (end.rejection) {
      Finish(Rejected(*end.rejection, context_));
      return;
    }
    *response_->mutable_result() = std::move(end.result);
    Finish(grpc::Status::OK);
  }

  grpc::CallbackServerContext* const context_;
  v1::ExecuteResponse* const response_;
  JobRunner* const runner_;
  JobObserver* const observer_;
  const Clock::time_point begin_;
  JobLabel label_;
  std::shared_ptr<Job> job_;
};

class UnbuiltStream final
    : public grpc::ServerBidiReactor<v1::ExecuteStreamRequest,
                                     v1::ExecuteStreamResponse> {
 public:
  UnbuiltStream() {
    Finish(UnimplementedRpc("paddock.v1.ExecutionService.ExecuteStream"));
  }
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerUnaryReactor* ExecutionService::Execute(
    grpc::CallbackServerContext* context, const v1::ExecuteRequest* request,
    v1::ExecuteResponse* response) {
  auto* call = new ExecuteCall(context, response, runner_, observer_);
  call->Begin(*config_, *pool_, *request);
  return call;
}

grpc::ServerBidiReactor<v1::ExecuteStreamRequest, v1::ExecuteStreamResponse>*
ExecutionService::ExecuteStream(grpc::CallbackServerContext*) {
  return new UnbuiltStream();
}

}  // namespace paddock
