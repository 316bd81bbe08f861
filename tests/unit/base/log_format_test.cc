#include "worker/base/log_format.h"

#include <gtest/gtest.h>

namespace paddock {
namespace {

TEST(LogFormatTest, JsonStrings) {
  EXPECT_EQ(JsonString("a\"b\\c\n\x01"), "\"a\\\"b\\\\c\\u000a\\u0001\"");
  EXPECT_EQ(JsonString("gr\xC3\xBC\xFF!"), "\"gr\xC3\xBC\\ufffd!\"");
  // CSI, as terminals of 8 bits take it, and text that turns.
  EXPECT_EQ(JsonString("\xC2\x9B"
                       "2J\xE2\x80\xAE"),
            "\"\\u009b2J\\u202e\"");
}

TEST(LogFormatTest, JsonLines) {
  EXPECT_EQ(
      JsonLogLine(absl::FromUnixMillis(1'500), "info", "\"a\":1"),
      "{\"time\":\"1970-01-01T00:00:01.500Z\",\"level\":\"info\",\"a\":1}\n");
}

}  // namespace
}  // namespace paddock
