#include "server/telemetry/metrics.h"

#include "server/telemetry/label_names.h"

namespace paddock {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Registry;

constexpr char kUnknown[] = "unknown";
// Names that workers give become labels: few, however many workers there were.
constexpr size_t kMostSetupSteps = 64;

Counter& OneCounter(Registry* registry, const char* name, const char* help) {
  return prometheus::BuildCounter()
      .Name(name)
      .Help(help)
      .Register(*registry)
      .Add({});
}

Gauge& OneGauge(Registry* registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry).Add(
      {});
}

Histogram& OneHistogram(Registry* registry, const char* name, const char* help,
                        const std::vector<double>& buckets) {
  return prometheus::BuildHistogram()
      .Name(name)
      .Help(help)
      .Register(*registry)
      .Add({}, buckets);
}

std::vector<double> PowersOfTwo(int first, int last, int step) {
  std::vector<double> buckets;
  for (int exponent = first; exponent <= last; exponent += step) {
    buckets.push_back(static_cast<double>(uint64_t{1} << exponent));
  }
  return buckets;
}

double Seconds(const google::protobuf::Duration& duration) {
  constexpr double kNanosPerSecond = 1e9;
  return duration.seconds() + duration.nanos() / kNanosPerSecond;
}

void ObservePhases(const v1::Phases& phases, Histogram* queue,
                   Histogram* prepare, Histogram* run, Histogram* collect) {
  if (phases.has_queue()) queue->Observe(Seconds(phases.queue()));
  if (phases.has_prepare()) prepare->Observe(Seconds(phases.prepare()));
  if (phases.has_run()) run->Observe(Seconds(phases.run()));
  if (phases.has_collect()) collect->Observe(Seconds(phases.collect()));
}

}  // namespace

LabelledCounters::LabelledCounters(Registry* registry, const std::string& name,
                                   const std::string& help,
                                   const std::string& label,
                                   const std::vector<std::string>& values)
    : label_(label),
      family_(prometheus::BuildCounter().Name(name).Help(help).Register(
          *registry)) {
  for (const std::string& value : values) Declare(value);
}

void LabelledCounters::Declare(const std::string& value) {
  if (counters_.contains(value)) return;
  counters_[value] = &family_.Add({{label_, value}});
}

void LabelledCounters::Add(const std::string& value, double count) {
  auto it = counters_.find(value);
  if (it != counters_.end()) {
    it->second->Increment(count);
  } else {
    family_.Add({{label_, kUnknown}}).Increment(count);
  }
}

Metrics::Metrics(Registry* registry, const LabelSets& labels)
    : jobs_started_(registry, "paddock_jobs_started_total",
                    "Jobs that were accepted, by the RPC they came through.",
                    "source", labels.sources),
      jobs_rejected_(registry, "paddock_jobs_rejected_total",
                     "Jobs that got an error instead of a result, by reason.",
                     "reason", labels.rejections),
      processes_(registry, "paddock_processes_total",
                 "Processes that ended or were given up, by outcome.",
                 "outcome", OutcomeLabels()),
      profile_runs_(registry, "paddock_profile_runs_total",
                    "Processes that ended or were given up, by the profile "
                    "they asked for.",
                    "profile", labels.profiles),
      limit_hits_(registry, "paddock_limit_hits_total",
                  "Limits that processes met, by limit; one process may meet "
                  "several.",
                  "limit", LimitLabels()),
      worker_restarts_(registry, "paddock_worker_restarts_total",
                       "Workers that were given up and replaced, by reason.",
                       "reason", labels.losses),
      setup_failures_(registry, "paddock_sandbox_setup_failures_total",
                      "Sandboxes that could not be built, by the step that "
                      "failed.",
                      "step", {}),
      oom_kills_(OneCounter(registry, "paddock_oom_kills_total",
                            "Kills by the kernel for want of memory within "
                            "the sandboxes' memory limits.")),
      policy_violations_(OneCounter(registry, "paddock_policy_violations_total",
                                    "Processes killed for a system call that "
                                    "no honest program makes.")),
      draining_(OneGauge(registry, "paddock_draining",
                         "1 once the server was told to stop, else 0.")),
      cpu_seconds_(OneHistogram(registry, "paddock_process_cpu_seconds",
                                "CPU time of one process and its children, "
                                "seconds.",
                                SecondsBuckets())),
      memory_peak_bytes_(OneHistogram(registry,
                                      "paddock_process_memory_peak_bytes",
                                      "Peak memory of one process and its "
                                      "children, bytes.",
                                      PowersOfTwo(20, 33, 1))),
      output_bytes_(OneHistogram(registry, "paddock_process_output_bytes",
                                 "Bytes one process wrote to its captured "
                                 "streams, kept or not.",
                                 PowersOfTwo(6, 30, 3))),
      phases_(prometheus::BuildHistogram()
                  .Name("paddock_phase_seconds")
                  .Help("Time a process spent in each phase, seconds. setup "
                        "and teardown are of sandboxes, off the request's "
                        "path.")
                  .Register(*registry)),
      queue_seconds_(Phase(&phases_, "queue")),
      prepare_seconds_(Phase(&phases_, "prepare")),
      setup_seconds_(Phase(&phases_, "setup")),
      run_seconds_(Phase(&phases_, "run")),
      collect_seconds_(Phase(&phases_, "collect")),
      teardown_seconds_(Phase(&phases_, "teardown")) {
  prometheus::BuildGauge()
      .Name("paddock_build_info")
      .Help("Always 1; the labels tell what runs.")
      .Register(*registry)
      .Add({{"version", PADDOCK_VERSION}})
      .Set(1);
}

Histogram& Metrics::Phase(prometheus::Family<Histogram>* family,
                          const char* phase) {
  return family->Add({{"phase", phase}}, SecondsBuckets());
}

void Metrics::JobStarted(const std::string& source) {
  jobs_started_.Add(source);
}

void Metrics::JobRejected(const std::string& reason) {
  jobs_rejected_.Add(reason);
}

void Metrics::ProcessFinished(const v1::ProcessResult& result,
                              const std::string& profile) {
  processes_.Add(OutcomeLabel(result.outcome()));
  profile_runs_.Add(profile);
  for (const int limit : result.limits_hit()) {
    limit_hits_.Add(LimitLabel(static_cast<v1::LimitKind>(limit)));
  }
  if (result.has_violation()) policy_violations_.Increment();
  const v1::Usage& usage = result.usage();
  oom_kills_.Increment(usage.oom_kills());
  if (usage.has_cpu_time()) cpu_seconds_.Observe(Seconds(usage.cpu_time()));
  if (usage.has_peak_memory_bytes()) {
    memory_peak_bytes_.Observe(usage.peak_memory_bytes());
  }
  if (result.has_stdout() || result.has_stderr()) {
    output_bytes_.Observe(result.stdout().written_bytes() +
                          result.stderr().written_bytes());
  }
  ObservePhases(result.phases(), &queue_seconds_, &prepare_seconds_,
                &run_seconds_, &collect_seconds_);
}

void Metrics::WorkerLost(const std::string& reason) {
  worker_restarts_.Add(reason);
}

void Metrics::SandboxSetUp(absl::Duration duration) {
  setup_seconds_.Observe(absl::ToDoubleSeconds(duration));
}

void Metrics::SandboxTornDown(absl::Duration duration) {
  teardown_seconds_.Observe(absl::ToDoubleSeconds(duration));
}

void Metrics::DeclareSetupSteps(const std::vector<std::string>& steps) {
  for (const std::string& step : steps) {
    if (setup_failures_.size() < kMostSetupSteps) setup_failures_.Declare(step);
  }
}

void Metrics::SetupFailed(const std::string& step, int count) {
  setup_failures_.Add(step, count);
}

void Metrics::SetDraining(bool draining) { draining_.Set(draining ? 1 : 0); }

std::vector<double> SecondsBuckets() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
          0.5,    1,     2.5,    5,     10,   30,    60,   120, 300};
}

}  // namespace paddock
