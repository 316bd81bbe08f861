#include "server/telemetry/gauges.h"

namespace paddock {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily MakeFamily(
    MetricType type, const std::string& name, const std::string& help,
    const std::string& label,
    const std::vector<std::pair<std::string, double>>& values) {
  MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  for (const auto& [label_value, value] : values) {
    prometheus::ClientMetric metric;
    if (!label.empty()) metric.label.push_back({label, label_value});
    if (type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family.metric.push_back(std::move(metric));
  }
  return family;
}

std::vector<MetricFamily> PoolGaugeCollector::Collect() const {
  const PoolGauges gauges = read_();
  return {
      MakeFamily(MetricType::Gauge, "paddock_queue_depth",
                 "Processes that wait for a worker, by priority.", "priority",
                 gauges.queue_depth),
      MakeFamily(MetricType::Gauge, "paddock_queue_capacity",
                 "Processes that may wait for a worker.", "",
                 {{"", gauges.queue_capacity}}),
      MakeFamily(MetricType::Gauge, "paddock_queue_oldest_age_seconds",
                 "How long the process that waits longest has waited, "
                 "seconds; 0 if none waits.",
                 "", {{"", absl::ToDoubleSeconds(gauges.queue_oldest_age)}}),
      MakeFamily(MetricType::Gauge, "paddock_memory_budget_bytes",
                 "Memory that processes may have together, by their limits.",
                 "", {{"", gauges.memory_budget_bytes}}),
      MakeFamily(MetricType::Gauge, "paddock_memory_admitted_bytes",
                 "Of that, what the running processes may have.", "",
                 {{"", gauges.memory_admitted_bytes}}),
      MakeFamily(MetricType::Gauge, "paddock_workers",
                 "Worker processes, by state.", "state", gauges.workers),
      MakeFamily(MetricType::Gauge, "paddock_warm_sandboxes",
                 "Sandboxes that wait ready for a process.", "",
                 {{"", gauges.warm_sandboxes}}),
  };
}

}  // namespace paddock
