#include "server/telemetry/log.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/formatter.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cmath>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "worker/base/log_format.h"

namespace paddock {
namespace {

// Records of this logger are the inside of a JSON object already.
constexpr char kFieldsLogger[] = "fields";

std::atomic<bool> json_format = false;

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& record,
              spdlog::memory_buf_t& out) override {
    const auto level = spdlog::level::to_string_view(record.level);
    const bool fields =
        absl::string_view(record.logger_name.data(),
                          record.logger_name.size()) == kFieldsLogger;
    const absl::string_view payload(record.payload.data(),
                                    record.payload.size());
    const std::string line =
        JsonLogLine(absl::FromChrono(record.time), {level.data(), level.size()},
                    fields ? std::string(payload)
                           : absl::StrCat("\"message\":", JsonString(payload)));
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

std::string JsonValue(const LogValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return JsonString(*text);
  }
  if (const auto* number = std::get_if<int64_t>(&value)) {
    return absl::StrCat(*number);
  }
  const double number = std::get<double>(value);
  return std::isfinite(number) ? absl::StrFormat("%.3f", number) : "null";
}

// Unquoted where that is unambiguous.
std::string TextValue(const LogValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return JsonValue(value);
  for (const char c : *text) {
    if (!absl::ascii_isalnum(c) && !absl::StrContains("._/-:+", c)) {
      return JsonString(*text);
    }
  }
  return text->empty() ? "\"\"" : *text;
}

}  // namespace

void SetUpLog(const config::v1::Log& config) {
  json_format = config.format() == "json";
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (json_format) {
    sink->set_formatter(std::make_unique<JsonFormatter>());
  } else {
    sink->set_formatter(
        std::make_unique<spdlog::pattern_formatter>(kTextLogPattern));
  }
  const auto level = spdlog::level::from_str(config.level());
  auto plain = std::make_shared<spdlog::logger>("paddockd", sink);
  plain->set_level(level);
  auto fields = std::make_shared<spdlog::logger>(kFieldsLogger, sink);
  fields->set_level(level);
  spdlog::drop(kFieldsLogger);
  spdlog::register_logger(fields);
  spdlog::set_default_logger(plain);
}

void LogEvent(absl::string_view message, const LogFields& fields) {
  const std::shared_ptr<spdlog::logger> logger = spdlog::get(kFieldsLogger);
  if (logger == nullptr || !logger->should_log(spdlog::level::info)) return;
  std::string line;
  if (json_format) {
    absl::StrAppend(&line, "\"message\":", JsonString(message));
    for (const auto& [key, value] : fields) {
      absl::StrAppend(&line, ",", JsonString(key), ":", JsonValue(value));
    }
  } else {
    absl::StrAppend(&line, message);
    for (const auto& [key, value] : fields) {
      absl::StrAppend(&line, " ", key, "=", TextValue(value));
    }
  }
  logger->info(line);
}

}  // namespace paddock
