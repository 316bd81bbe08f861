#ifndef PADDOCK_SERVER_TELEMETRY_LABEL_NAMES_H_
#define PADDOCK_SERVER_TELEMETRY_LABEL_NAMES_H_

#include <string>
#include <vector>

#include "paddock/v1/result.pb.h"

namespace paddock {

// Values of labels: the enum's name without its prefix, in lower case
// ("cpu_time"). "unknown" for a number the enum does not have.
std::string OutcomeLabel(v1::Outcome outcome);
std::string LimitLabel(v1::LimitKind limit);

// All of them but UNSPECIFIED's.
std::vector<std::string> OutcomeLabels();
std::vector<std::string> LimitLabels();

}  // namespace paddock

#endif  // PADDOCK_SERVER_TELEMETRY_LABEL_NAMES_H_
