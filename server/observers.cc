#include "server/observers.h"

#include <spdlog/spdlog.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/jobs/duration.h"
#include "server/telemetry/label_names.h"
#include "server/telemetry/log.h"

namespace paddock {
namespace {

constexpr Rejection kRejections[] = {
    Rejection::kInvalidArgument, Rejection::kUnimplemented,
    Rejection::kUnenforceable,   Rejection::kQueueFull,
    Rejection::kDraining,        Rejection::kNoWorkers,
    Rejection::kOutOfResources};
constexpr WorkerLoss kLosses[] = {WorkerLoss::kDied, WorkerLoss::kProtocolError,
                                  WorkerLoss::kHung};
constexpr JobSource kSources[] = {JobSource::kExecute};
// By PriorityLevel().
constexpr const char* kPriorityNames[kPriorityLevels] = {"low", "normal",
                                                         "high"};
// Names that a worker gives become labels: short ones.
constexpr size_t kMaxStepName = 64;

const char* NameOf(Rejection why) {
  switch (why) {
    case Rejection::kInvalidArgument:
      return "invalid_argument";
    case Rejection::kUnimplemented:
      return "unimplemented";
    case Rejection::kUnenforceable:
      return "unenforceable";
    case Rejection::kQueueFull:
      return "queue_full";
    case Rejection::kDraining:
      return "draining";
    case Rejection::kNoWorkers:
      return "no_workers";
    case Rejection::kOutOfResources:
      return "out_of_resources";
  }
  return "unknown";
}

const char* NameOf(JobSource source) {
  switch (source) {
    case JobSource::kExecute:
      return "execute";
  }
  return "unknown";
}

bool IsStepName(const std::string& name) {
  for (const char c : name) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '_') {
      return false;
    }
  }
  return !name.empty() && name.size() <= kMaxStepName;
}

LogFields FieldsOf(const JobLabel& job) {
  LogFields fields = {{"job_id", job.id}, {"source", NameOf(job.source)}};
  if (!job.request_id.empty()) fields.push_back({"request_id", job.request_id});
  if (!job.profile.empty()) fields.push_back({"profile", job.profile});
  for (const auto& [key, value] : job.labels) {
    fields.push_back({absl::StrCat("label.", key), value});
  }
  return fields;
}

double Milliseconds(const google::protobuf::Duration& duration) {
  return absl::ToDoubleMilliseconds(FromProto(duration));
}

void AppendProcess(const v1::ProcessResult& process, LogFields* fields) {
  if (process.has_exit_code()) {
    fields->push_back({"exit_code", int64_t{process.exit_code()}});
  } else if (process.has_term_signal()) {
    fields->push_back({"term_signal", int64_t{process.term_signal()}});
  }
  const v1::Usage& usage = process.usage();
  if (usage.has_cpu_time()) {
    fields->push_back({"cpu_ms", Milliseconds(usage.cpu_time())});
  }
  if (usage.has_wall_time()) {
    fields->push_back({"wall_ms", Milliseconds(usage.wall_time())});
  }
  if (usage.has_peak_memory_bytes()) {
    fields->push_back({"peak_memory_bytes", usage.peak_memory_bytes()});
  }
}

}  // namespace

Metrics::LabelSets ServerObserver::LabelSets(const config::v1::Config& config) {
  Metrics::LabelSets sets;
  for (const v1::Profile& profile : config.sandbox().profiles()) {
    sets.profiles.push_back(profile.name());
  }
  for (const JobSource source : kSources)
    sets.sources.push_back(NameOf(source));
  for (const Rejection why : kRejections)
    sets.rejections.push_back(NameOf(why));
  for (const WorkerLoss loss : kLosses) {
    sets.losses.push_back(WorkerLossName(loss));
  }
  return sets;
}

void ServerObserver::OnWorkerReady(const internal::v1::WorkerReady& ready) {
  std::vector<std::string> steps;
  for (const std::string& step : ready.setup_steps()) {
    if (IsStepName(step)) steps.push_back(step);
  }
  metrics_->DeclareSetupSteps(steps);
}

void ServerObserver::OnWorkerStats(const internal::v1::WorkerStats& stats) {
  for (const auto& failures : stats.setup_failures()) {
    metrics_->SetupFailed(failures.step(), failures.count());
    spdlog::warn("{} sandboxes could not be built: {} failed", failures.count(),
                 IsStepName(failures.step()) ? failures.step() : "a step");
  }
  for (const auto& setup : stats.setups()) {
    metrics_->SandboxSetUp(FromProto(setup));
  }
  for (const auto& teardown : stats.teardowns()) {
    metrics_->SandboxTornDown(FromProto(teardown));
  }
}

void ServerObserver::OnWorkerLost(int32_t slot, WorkerLoss loss,
                                  const std::string& reason) {
  metrics_->WorkerLost(WorkerLossName(loss));
  spdlog::warn("worker {} is replaced: {} ({})", slot, WorkerLossName(loss),
               reason);
}

void ServerObserver::OnAvailable(bool available) {
  if (!available) spdlog::error("no worker is up; jobs are turned away");
  events_.on_available(available);
}

void ServerObserver::OnSupervisorGone(const std::string& reason) {
  events_.on_supervisor_gone(reason);
}

void ServerObserver::OnStarted(const JobLabel& job) {
  metrics_->JobStarted(NameOf(job.source));
}

std::function<void()> ServerObserver::OnFinished(const JobLabel& job,
                                                 const v1::JobResult& result) {
  metrics_->ProcessFinished(result.process(), job.profile);
  LogFields fields = FieldsOf(job);
  fields.push_back({"outcome", OutcomeLabel(result.outcome())});
  AppendProcess(result.process(), &fields);
  fields.push_back({"queue_ms", Milliseconds(result.queue_duration())});
  fields.push_back({"total_ms", Milliseconds(result.total_duration())});
  return [fields = std::move(fields)] { LogEvent("job finished", fields); };
}

void ServerObserver::OnRejected(const JobLabel& job, Rejection why) {
  metrics_->JobRejected(NameOf(why));
  LogFields fields = FieldsOf(job);
  fields.push_back({"reason", NameOf(why)});
  LogEvent("job refused", fields);
}

PoolGauges GaugesOf(const PoolSnapshot& snapshot) {
  PoolGauges gauges;
  for (int level = 0; level < kPriorityLevels; ++level) {
    gauges.queue_depth.push_back(
        {kPriorityNames[level], snapshot.queue_depth[level]});
  }
  gauges.queue_capacity = snapshot.queue_capacity;
  gauges.queue_oldest_age = snapshot.queue_oldest_age;
  gauges.memory_budget_bytes = snapshot.memory_budget_bytes;
  gauges.memory_admitted_bytes = snapshot.memory_admitted_bytes;
  double starting = 0, idle = 0, busy = 0;
  for (const WorkerInfo& worker : snapshot.workers) {
    if (worker.state == v1::WORKER_STATE_IDLE) {
      ++idle;
    } else if (worker.state == v1::WORKER_STATE_BUSY) {
      ++busy;
    } else {
      ++starting;
    }
  }
  gauges.workers = {{"starting", starting}, {"idle", idle}, {"busy", busy}};
  gauges.warm_sandboxes = snapshot.warm_sandboxes;
  return gauges;
}

}  // namespace paddock
