#ifndef PADDOCK_SERVER_TELEMETRY_PROCESS_GAUGES_H_
#define PADDOCK_SERVER_TELEMETRY_PROCESS_GAUGES_H_

#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace paddock {

// The process_* metrics of this process that every Prometheus client library
// exports under the same names, read from /proc/self: proc(5).
class ProcessGaugeCollector : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace paddock

#endif  // PADDOCK_SERVER_TELEMETRY_PROCESS_GAUGES_H_
