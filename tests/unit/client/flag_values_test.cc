#include "client/cli/flag_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>

#include "absl/status/status.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;

TEST(ParseDurationTest, TakesNumbersWithUnits) {
  EXPECT_EQ(ParseDuration("2s").value(), absl::Seconds(2));
  EXPECT_EQ(ParseDuration("500ms").value(), absl::Milliseconds(500));
  EXPECT_EQ(ParseDuration("1m30s").value(), absl::Seconds(90));
  EXPECT_EQ(ParseDuration("1.5h").value(), absl::Minutes(90));
  EXPECT_EQ(ParseDuration("7us").value(), absl::Microseconds(7));
  EXPECT_EQ(ParseDuration("0").value(), absl::ZeroDuration());
  EXPECT_EQ(ParseDuration("315576000000s").value(),
            absl::Seconds(315576000000));
}

TEST(ParseDurationTest, AsksForTheUnit) {
  const absl::Status status = ParseDuration("2").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("'2s'"));
}

TEST(ParseDurationTest, RefusesTheRest) {
  for (const char* text : {"", "s", "2 s", "-1s", "inf", "-inf", "2 fortnights",
                           "315576000001s", "999999999999999h", "1s "}) {
    EXPECT_EQ(ParseDuration(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(DurationProtoTest, KeepsNanoseconds) {
  const auto proto = ToProto(absl::Seconds(3) + absl::Nanoseconds(7));
  EXPECT_EQ(proto.seconds(), 3);
  EXPECT_EQ(proto.nanos(), 7);
  EXPECT_EQ(FromProto(proto), absl::Seconds(3) + absl::Nanoseconds(7));
}

TEST(ParseSizeTest, TakesPowersOf1024) {
  EXPECT_EQ(ParseSize("65536").value(), 65536);
  EXPECT_EQ(ParseSize("0").value(), 0);
  EXPECT_EQ(ParseSize("64K").value(), 64 << 10);
  EXPECT_EQ(ParseSize("64m").value(), 64 << 20);
  EXPECT_EQ(ParseSize("1GiB").value(), 1 << 30);
  EXPECT_EQ(ParseSize("2tib").value(), int64_t{2} << 40);
}

TEST(ParseSizeTest, KnowsTheLargest) {
  EXPECT_EQ(ParseSize("9223372036854775807").value(),
            std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ParseSize("8388607T").value(), int64_t{8388607} << 40);
  for (const char* text :
       {"9223372036854775808", "8388608T", "99999999999999999999999"}) {
    EXPECT_FALSE(ParseSize(text).ok()) << text;
  }
}

TEST(ParseSizeTest, RefusesTheRest) {
  for (const char* text : {"", "M", "-1", "+1", "1.5G", "64MB", "64B", "64 M",
                           "0x40", "64Mi", "64MiBs", "1e6", "many"}) {
    EXPECT_EQ(ParseSize(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(ParseCountTest, HoldsTheBounds) {
  EXPECT_EQ(ParseCount("1", 1, 5).value(), 1);
  EXPECT_EQ(ParseCount("5", 1, 5).value(), 5);
  for (const char* text :
       {"0", "6", "-1", "", "x", "2.0", "3 4", "99999999999999999999"}) {
    EXPECT_FALSE(ParseCount(text, 1, 5).ok()) << text;
  }
}

TEST(ParsePairTest, CutsAtTheFirstEquals) {
  EXPECT_EQ(ParsePair("A=b=c").value(),
            std::make_pair(std::string("A"), std::string("b=c")));
  EXPECT_EQ(ParsePair("A=").value().second, "");
  EXPECT_FALSE(ParsePair("A").ok());
  EXPECT_FALSE(ParsePair("=b").ok());
  EXPECT_FALSE(ParsePair("").ok());
}

}  // namespace
}  // namespace paddock
