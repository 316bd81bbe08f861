#include "server/telemetry/log.h"

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

namespace paddock {
namespace {

std::string Logged(const char* format, const std::function<void()>& log) {
  config::v1::Log config;
  config.set_level("info");
  config.set_format(format);
  testing::internal::CaptureStderr();
  SetUpLog(config);
  log();
  spdlog::default_logger()->flush();
  return testing::internal::GetCapturedStderr();
}

TEST(LogTest, JsonLines) {
  const std::string text = Logged("json", [] {
    spdlog::warn("a \"quoted\" word");
    spdlog::debug("below the level");
    LogEvent("job finished", {{"job_id", std::string("j1")},
                              {"exit_code", int64_t{3}},
                              {"cpu_ms", 1.5}});
  });
  const size_t first_end = text.find('\n');
  const std::string first = text.substr(0, first_end);
  EXPECT_NE(first.find("\"level\":\"warning\",\"message\":"
                       "\"a \\\"quoted\\\" word\"}"),
            std::string::npos)
      << first;
  const std::string second = text.substr(first_end + 1);
  EXPECT_NE(second.find("\"message\":\"job finished\",\"job_id\":\"j1\","
                        "\"exit_code\":3,\"cpu_ms\":1.500}\n"),
            std::string::npos)
      << second;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(LogTest, TextLines) {
  const std::string text = Logged("text", [] {
    LogEvent("job finished", {{"job_id", std::string("j1")},
                              {"label.x", std::string("a b\nc")},
                              {"exit_code", int64_t{3}}});
  });
  EXPECT_NE(text.find("info job finished job_id=j1 label.x=\"a b\\u000ac\" "
                      "exit_code=3\n"),
            std::string::npos)
      << text;
}

TEST(LogTest, FieldsKeepToTheLevel) {
  config::v1::Log config;
  config.set_level("error");
  config.set_format("text");
  testing::internal::CaptureStderr();
  SetUpLog(config);
  LogEvent("job finished", {});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace paddock
