#ifndef PADDOCK_SERVER_TELEMETRY_METRICS_H_
#define PADDOCK_SERVER_TELEMETRY_METRICS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "paddock/v1/result.pb.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace paddock {

// Counters of one label whose values are a closed set: each stands in the
// output from the start, with 0. Other values count as "unknown".
class LabelledCounters {
 public:
  LabelledCounters(prometheus::Registry* registry, const std::string& name,
                   const std::string& help, const std::string& label,
                   const std::vector<std::string>& values);
  // Adds a value to the set. Not thread-safe against Add of a new value.
  void Declare(const std::string& value);
  void Add(const std::string& value, double count = 1);
  size_t size() const { return counters_.size(); }

 private:
  const std::string label_;
  prometheus::Family<prometheus::Counter>& family_;
  std::map<std::string, prometheus::Counter*> counters_;
};

// What jobs and workers do, as Prometheus sees it. Thread-safe, but for
// DeclareSetupSteps, SetupFailed and the constructor.
class Metrics {
 public:
  // The closed label sets that are not enums of the API.
  struct LabelSets {
    std::vector<std::string> sources;     // jobs_started_total
    std::vector<std::string> rejections;  // jobs_rejected_total
    std::vector<std::string> losses;      // worker_restarts_total
    std::vector<std::string> profiles;    // profile_runs_total
  };
  Metrics(prometheus::Registry* registry, const LabelSets& labels);

  void JobStarted(const std::string& source);
  void JobRejected(const std::string& reason);
  // `profile` is the one it asked for.
  void ProcessFinished(const v1::ProcessResult& result,
                       const std::string& profile);
  void WorkerLost(const std::string& reason);
  void SandboxSetUp(absl::Duration duration);
  void SandboxTornDown(absl::Duration duration);
  // One thread may call these two.
  void DeclareSetupSteps(const std::vector<std::string>& steps);
  void SetupFailed(const std::string& step, int count);
  void SetDraining(bool draining);

 private:
  prometheus::Histogram& Phase(
      prometheus::Family<prometheus::Histogram>* family, const char* phase);

  LabelledCounters jobs_started_;
  LabelledCounters jobs_rejected_;
  LabelledCounters processes_;
  LabelledCounters profile_runs_;
  LabelledCounters limit_hits_;
  LabelledCounters worker_restarts_;
  LabelledCounters setup_failures_;
  prometheus::Counter& oom_kills_;
  prometheus::Counter& policy_violations_;
  prometheus::Gauge& draining_;
  prometheus::Histogram& cpu_seconds_;
  prometheus::Histogram& memory_peak_bytes_;
  prometheus::Histogram& output_bytes_;
  prometheus::Family<prometheus::Histogram>& phases_;
  prometheus::Histogram& queue_seconds_;
  prometheus::Histogram& prepare_seconds_;
  prometheus::Histogram& setup_seconds_;
  prometheus::Histogram& run_seconds_;
  prometheus::Histogram& collect_seconds_;
  prometheus::Histogram& teardown_seconds_;
};

// Upper bounds of the histograms of seconds: 0.5 ms to 300 s.
std::vector<double> SecondsBuckets();

}  // namespace paddock

#endif  // PADDOCK_SERVER_TELEMETRY_METRICS_H_
