#ifndef PADDOCK_SERVER_TELEMETRY_LOG_H_
#define PADDOCK_SERVER_TELEMETRY_LOG_H_

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"
#include "paddock/config/v1/config.pb.h"

namespace paddock {

// Sends spdlog's default logger to stderr in the configured level and format:
// text, one line a record, or one JSON object a line with "time", "level",
// "message" and the fields of LogEvent. `config` is checked.
void SetUpLog(const config::v1::Log& config);

using LogValue = std::variant<std::string, int64_t, double>;
using LogFields = std::vector<std::pair<std::string, LogValue>>;

// One record at level info with fields: `message key=value ...` as text.
void LogEvent(absl::string_view message, const LogFields& fields);

}  // namespace paddock

#endif  // PADDOCK_SERVER_TELEMETRY_LOG_H_
