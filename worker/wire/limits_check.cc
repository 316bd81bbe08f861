#include "worker/wire/limits_check.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"

namespace paddock {
namespace {

using google::protobuf::Duration;

// google/protobuf/duration.proto: both parts in range and of one sign.
bool IsValidDuration(const Duration& duration) {
  constexpr int64_t kMaxSeconds = 315576000000;
  constexpr int32_t kMaxNanos = 999999999;
  const int64_t seconds = duration.seconds();
  const int32_t nanos = duration.nanos();
  if (seconds < -kMaxSeconds || seconds > kMaxSeconds) return false;
  if (nanos < -kMaxNanos || nanos > kMaxNanos) return false;
  return !(seconds < 0 && nanos > 0) && !(seconds > 0 && nanos < 0);
}

absl::Duration ToAbsl(const Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

void CheckDuration(const char* field, const Duration& value, absl::Duration min,
                   const Duration* max, const CheckReport& report) {
  if (!IsValidDuration(value)) {
    report.Violation(field, "is not a valid google.protobuf.Duration");
    return;
  }
  const absl::Duration duration = ToAbsl(value);
  if (duration <= absl::ZeroDuration()) {
    report.Violation(field, absl::StrCat("is ", absl::FormatDuration(duration),
                                         "; it must be greater than 0"));
  } else if (duration < min) {
    report.Violation(
        field, absl::StrCat("is ", absl::FormatDuration(duration),
                            "; the minimum is ", absl::FormatDuration(min)));
  } else if (max != nullptr && duration > ToAbsl(*max)) {
    report.Violation(field, absl::StrCat("is ", absl::FormatDuration(duration),
                                         "; the server's maximum is ",
                                         absl::FormatDuration(ToAbsl(*max))));
  }
}

// For int32, int64 and double. Written so that NaN passes no comparison.
template <typename T>
void CheckNumber(const char* field, T value, T min, const T* max,
                 const CheckReport& report) {
  if (!(value >= min)) {
    report.Violation(field,
                     absl::StrCat("is ", value, "; the minimum is ", min));
  } else if (max != nullptr && !(value <= *max)) {
    report.Violation(
        field, absl::StrCat("is ", value, "; the server's maximum is ", *max));
  }
}

void CheckCpus(double cpus, const double* max, const CheckReport& report) {
  if (std::isfinite(cpus)) {
    CheckNumber("cpus", cpus, kMinCpus, max, report);
  } else {
    report.Violation("cpus", "is not a finite number");
  }
}

}  // namespace

// The macros stand for the three accessors protobuf generates for each field.
#define CHECK_DURATION(field, min)                                     \
  if (limits.has_##field()) {                                          \
    CheckDuration(#field, limits.field(), min,                         \
                  max.has_##field() ? &max.field() : nullptr, report); \
  }
#define CHECK_NUMBER(field, min)                                           \
  if (limits.has_##field()) {                                              \
    const auto bound = max.field();                                        \
    CheckNumber<decltype(limits.field())>(                                 \
        #field, limits.field(), min, max.has_##field() ? &bound : nullptr, \
        report);                                                           \
  }

void CheckLimits(const v1::Limits& limits, const v1::Limits& max,
                 const CheckReport& report) {
  CHECK_DURATION(cpu_time, absl::ZeroDuration())
  CHECK_DURATION(wall_time, absl::ZeroDuration())
  CHECK_DURATION(idle_time, kMinIdleTime)
  CHECK_NUMBER(memory_bytes, kMinMemoryBytes)
  CHECK_NUMBER(processes, kMinProcesses)
  CHECK_NUMBER(open_files, kMinOpenFiles)
  CHECK_NUMBER(file_size_bytes, 0)
  CHECK_NUMBER(workspace_bytes, 0)
  CHECK_NUMBER(workspace_inodes, kMinWorkspaceInodes)
  CHECK_NUMBER(stack_bytes, kMinStackBytes)
  CHECK_NUMBER(output_bytes, 0)
  if (limits.has_cpus()) {
    const double bound = max.cpus();
    CheckCpus(limits.cpus(), max.has_cpus() ? &bound : nullptr, report);
  }
}

#undef CHECK_DURATION
#undef CHECK_NUMBER

}  // namespace paddock
