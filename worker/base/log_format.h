#ifndef PADDOCK_WORKER_BASE_LOG_FORMAT_H_
#define PADDOCK_WORKER_BASE_LOG_FORMAT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace paddock {

// Of a log as text, as spdlog's pattern_formatter takes it. All our processes
// write to one log, so they write alike.
inline constexpr char kTextLogPattern[] = "%Y-%m-%dT%H:%M:%S.%e%z %l %v";

// `text` as a JSON string, quotes included. Bytes that are no UTF-8 become
// U+FFFD.
std::string JsonString(absl::string_view text);

// A line of a log as JSON: an object with "time", "level" and `members`, which
// is what stands between its braces: `"message":"..."` and more.
std::string JsonLogLine(absl::Time time, absl::string_view level,
                        absl::string_view members);

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_LOG_FORMAT_H_
