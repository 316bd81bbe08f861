#include "worker/log.h"

#include <spdlog/formatter.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "worker/base/log_format.h"

namespace paddock {
namespace {

class JsonFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& record,
              spdlog::memory_buf_t& out) override {
    const auto level = spdlog::level::to_string_view(record.level);
    const std::string message =
        JsonString({record.payload.data(), record.payload.size()});
    const std::string line =
        JsonLogLine(absl::FromChrono(record.time), {level.data(), level.size()},
                    absl::StrCat("\"message\":", message));
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }
};

}  // namespace

void SetUpWorkerLog(const config::v1::Log& config) {
  spdlog::set_level(spdlog::level::from_str(config.level()));
  if (config.format() == "json") {
    spdlog::set_formatter(std::make_unique<JsonFormatter>());
  } else {
    spdlog::set_pattern(kTextLogPattern);
  }
}

}  // namespace paddock
