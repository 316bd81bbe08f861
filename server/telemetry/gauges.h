#ifndef PADDOCK_SERVER_TELEMETRY_GAUGES_H_
#define PADDOCK_SERVER_TELEMETRY_GAUGES_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace paddock {

// What is read when it is asked for rather than counted. Each label set is
// closed: the same values every time.
struct PoolGauges {
  std::vector<std::pair<std::string, double>> queue_depth;  // by priority
  double queue_capacity = 0;
  absl::Duration queue_oldest_age;
  double memory_budget_bytes = 0;
  double memory_admitted_bytes = 0;
  std::vector<std::pair<std::string, double>> workers;  // by state
  double warm_sandboxes = 0;
};

class PoolGaugeCollector : public prometheus::Collectable {
 public:
  // `read` is called by any thread.
  explicit PoolGaugeCollector(std::function<PoolGauges()> read)
      : read_(std::move(read)) {}
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::function<PoolGauges()> read_;
};

// A family of gauges, or of counters, of one label; no label if it is empty.
prometheus::MetricFamily MakeFamily(
    prometheus::MetricType type, const std::string& name,
    const std::string& help, const std::string& label,
    const std::vector<std::pair<std::string, double>>& values);

}  // namespace paddock

#endif  // PADDOCK_SERVER_TELEMETRY_GAUGES_H_
