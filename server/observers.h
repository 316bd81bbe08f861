#ifndef PADDOCK_SERVER_OBSERVERS_H_
#define PADDOCK_SERVER_OBSERVERS_H_

#include <functional>
#include <string>
#include <utility>

#include "paddock/config/v1/config.pb.h"
#include "server/jobs/job_observer.h"
#include "server/scheduling/pool_observer.h"
#include "server/telemetry/gauges.h"
#include "server/telemetry/metrics.h"

namespace paddock {

// Turns what happens to jobs and workers into metrics and log lines, so that
// the code that runs them knows of neither.
class ServerObserver final : public PoolObserver, public JobObserver {
 public:
  // The two functions are called by the pool's thread.
  struct Events {
    std::function<void(bool)> on_available;
    std::function<void(const std::string&)> on_supervisor_gone;
  };
  ServerObserver(Metrics* metrics, Events events)
      : metrics_(metrics), events_(std::move(events)) {}

  // The label sets of the metrics that this class feeds.
  static Metrics::LabelSets LabelSets(const config::v1::Config& config);

  void OnWorkerReady(const internal::v1::WorkerReady& ready) override;
  void OnWorkerStats(const internal::v1::WorkerStats& stats) override;
  void OnWorkerLost(int32_t slot, WorkerLoss loss,
                    const std::string& reason) override;
  void OnAvailable(bool available) override;
  void OnSupervisorGone(const std::string& reason) override;

  void OnStarted(const JobLabel& job) override;
  // One line in the log, after the answer: never output, input or environment.
  std::function<void()> OnFinished(const JobLabel& job,
                                   const v1::JobResult& result) override;
  void OnRejected(const JobLabel& job, Rejection why) override;

 private:
  Metrics* const metrics_;
  const Events events_;
};

// The gauges that a snapshot of the pool gives.
PoolGauges GaugesOf(const PoolSnapshot& snapshot);

}  // namespace paddock

#endif  // PADDOCK_SERVER_OBSERVERS_H_
