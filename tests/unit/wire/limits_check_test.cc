#include "worker/wire/limits_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/check_process.h"

namespace paddock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Checked CheckLimit(const v1::Limits& limits, const v1::Limits& max = {}) {
  v1::Process process = GoodProcess();
  *process.mutable_limits() = limits;
  return Check(process, max);
}

google::protobuf::Duration Time(int64_t seconds, int32_t nanos = 0) {
  google::protobuf::Duration duration;
  duration.set_seconds(seconds);
  duration.set_nanos(nanos);
  return duration;
}

// One number or time of Limits, by its accessors.
struct Number {
  const char* field;
  void (*set)(v1::Limits*, int64_t);
  int64_t min;
};
constexpr Number kNumbers[] = {
    {"memory_bytes", [](v1::Limits* l, int64_t v) { l->set_memory_bytes(v); },
     1 << 20},
    {"processes",
     [](v1::Limits* l, int64_t v) { l->set_processes(static_cast<int>(v)); },
     1},
    {"open_files",
     [](v1::Limits* l, int64_t v) { l->set_open_files(static_cast<int>(v)); },
     4},
    {"file_size_bytes",
     [](v1::Limits* l, int64_t v) { l->set_file_size_bytes(v); }, 0},
    {"workspace_bytes",
     [](v1::Limits* l, int64_t v) { l->set_workspace_bytes(v); }, 0},
    {"workspace_inodes",
     [](v1::Limits* l, int64_t v) { l->set_workspace_inodes(v); }, 1},
    {"stack_bytes", [](v1::Limits* l, int64_t v) { l->set_stack_bytes(v); },
     65536},
    {"output_bytes", [](v1::Limits* l, int64_t v) { l->set_output_bytes(v); },
     0},
};

struct Span {
  const char* field;
  google::protobuf::Duration* (*mutable_field)(v1::Limits*);
};
constexpr Span kSpans[] = {
    {"cpu_time", [](v1::Limits* l) { return l->mutable_cpu_time(); }},
    {"wall_time", [](v1::Limits* l) { return l->mutable_wall_time(); }},
    {"idle_time", [](v1::Limits* l) { return l->mutable_idle_time(); }},
};

std::string PathOf(const char* field) {
  return std::string("job.process.limits.") + field;
}

TEST(LimitsCheckTest, NoneIsFine) { EXPECT_THAT(CheckLimit({}), IsFine()); }

TEST(LimitsCheckTest, NumbersHaveAMinimum) {
  for (const Number& number : kNumbers) {
    v1::Limits limits;
    number.set(&limits, number.min);
    EXPECT_THAT(CheckLimit(limits), IsFine()) << number.field;
    number.set(&limits, number.min - 1);
    EXPECT_THAT(CheckLimit(limits),
                Violates(PathOf(number.field),
                         HasSubstr("minimum is " + std::to_string(number.min))))
        << number.field;
    number.set(&limits, std::numeric_limits<int32_t>::min());
    EXPECT_THAT(CheckLimit(limits), Violates(PathOf(number.field)));
  }
}

TEST(LimitsCheckTest, NumbersHaveTheServersMaximum) {
  for (const Number& number : kNumbers) {
    const int64_t maximum = number.min + 10;
    v1::Limits max;
    number.set(&max, maximum);
    v1::Limits limits;
    number.set(&limits, maximum);
    EXPECT_THAT(CheckLimit(limits, max), IsFine()) << number.field;
    number.set(&limits, maximum + 1);
    EXPECT_THAT(CheckLimit(limits, max),
                Violates(PathOf(number.field),
                         HasSubstr("maximum is " + std::to_string(maximum))))
        << number.field;
    EXPECT_THAT(CheckLimit(limits, {}), IsFine()) << "unset bounds nothing";
  }
}

TEST(LimitsCheckTest, LargestNumbers) {
  v1::Limits limits;
  limits.set_memory_bytes(INT64_MAX);
  limits.set_processes(INT32_MAX);
  EXPECT_THAT(CheckLimit(limits), IsFine());
  limits.set_memory_bytes(INT64_MIN);
  EXPECT_THAT(CheckLimit(limits), Violates(PathOf("memory_bytes")));
}

TEST(LimitsCheckTest, TimesArePositive) {
  for (const Span& span : kSpans) {
    v1::Limits limits;
    *span.mutable_field(&limits) = Time(0, 100'000'000);
    EXPECT_THAT(CheckLimit(limits), IsFine()) << span.field;
    *span.mutable_field(&limits) = Time(0);
    EXPECT_THAT(CheckLimit(limits),
                Violates(PathOf(span.field), HasSubstr("greater than 0")));
    *span.mutable_field(&limits) = Time(-1, -1);
    EXPECT_THAT(CheckLimit(limits), Violates(PathOf(span.field)));
  }
}

TEST(LimitsCheckTest, IdleTimeIsNotShorterThanWhatIsLookedAt) {
  v1::Limits limits;
  *limits.mutable_cpu_time() = Time(0, 1);
  *limits.mutable_wall_time() = Time(0, 1);
  *limits.mutable_idle_time() = Time(0, 100'000'000);
  EXPECT_THAT(CheckLimit(limits), IsFine());
  *limits.mutable_idle_time() = Time(0, 99'999'999);
  EXPECT_THAT(CheckLimit(limits),
              Violates(PathOf("idle_time"), HasSubstr("minimum is 100ms")));
}

TEST(LimitsCheckTest, TimesAreValidDurations) {
  constexpr int64_t kMost = 315576000000;
  for (const Span& span : kSpans) {
    v1::Limits limits;
    *span.mutable_field(&limits) = Time(kMost, 999999999);
    EXPECT_THAT(CheckLimit(limits), IsFine()) << span.field;
    for (const auto& time : {Time(kMost + 1), Time(1, 1000000000), Time(1, -1),
                             Time(-1, 1), Time(INT64_MAX), Time(INT64_MIN),
                             Time(0, INT32_MIN), Time(-kMost - 1)}) {
      *span.mutable_field(&limits) = time;
      EXPECT_THAT(CheckLimit(limits),
                  Violates(PathOf(span.field), HasSubstr("not a valid")))
          << time.ShortDebugString();
    }
  }
}

TEST(LimitsCheckTest, TimesHaveTheServersMaximum) {
  for (const Span& span : kSpans) {
    v1::Limits max;
    *span.mutable_field(&max) = Time(90);
    v1::Limits limits;
    *span.mutable_field(&limits) = Time(90);
    EXPECT_THAT(CheckLimit(limits, max), IsFine()) << span.field;
    *span.mutable_field(&limits) = Time(90, 1);
    EXPECT_THAT(CheckLimit(limits, max),
                Violates(PathOf(span.field), HasSubstr("maximum is 1m30s")));
    EXPECT_THAT(CheckLimit(limits, {}), IsFine());
  }
}

TEST(LimitsCheckTest, Cpus) {
  v1::Limits limits;
  for (const double cpus : {0.01, 0.5, 1.0, 64.0}) {
    limits.set_cpus(cpus);
    EXPECT_THAT(CheckLimit(limits), IsFine()) << cpus;
  }
  for (const double cpus :
       {0.0, -1.0, 0.0099, std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    limits.set_cpus(cpus);
    EXPECT_THAT(CheckLimit(limits), Violates(PathOf("cpus"))) << cpus;
  }
  v1::Limits max;
  max.set_cpus(2);
  limits.set_cpus(2);
  EXPECT_THAT(CheckLimit(limits, max), IsFine());
  limits.set_cpus(2.001);
  EXPECT_THAT(CheckLimit(limits, max),
              Violates(PathOf("cpus"), HasSubstr("maximum is 2")));
}

TEST(LimitsCheckTest, SaysAllAtOnce) {
  v1::Limits limits;
  *limits.mutable_cpu_time() = Time(0);
  limits.set_memory_bytes(0);
  limits.set_stack_bytes(1);
  limits.set_cpus(std::nan(""));
  EXPECT_THAT(FieldsOf(CheckLimit(limits)),
              ElementsAre(PathOf("cpu_time"), PathOf("memory_bytes"),
                          PathOf("stack_bytes"), PathOf("cpus")));
}

}  // namespace
}  // namespace paddock
