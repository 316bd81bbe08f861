#include "client/cli/flag_values.h"

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace paddock {
namespace {

// google/protobuf/duration.proto: about 10,000 years.
constexpr int64_t kMaxSeconds = 315576000000;

bool IsDigits(absl::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return !text.empty();
}

// The power of 2 a size's suffix stands for; -1 if it is none.
int ShiftOf(absl::string_view suffix) {
  std::string unit = absl::AsciiStrToLower(suffix);
  if (unit.empty()) return 0;
  if (unit.size() > 1 && unit.substr(1) != "ib") return -1;
  switch (unit[0]) {
    case 'k':
      return 10;
    case 'm':
      return 20;
    case 'g':
      return 30;
    case 't':
      return 40;
  }
  return -1;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  absl::Duration duration;
  if (IsDigits(text) && text.find_first_not_of('0') != text.npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", text, "' has no unit: write '", text, "s' or '", text, "ms'"));
  }
  if (!absl::ParseDuration(text, &duration) ||
      duration == absl::InfiniteDuration() ||
      duration == -absl::InfiniteDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", text, "' is not a duration: write it as 2s, 500ms or 1m30s"));
  }
  if (duration < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is negative"));
  }
  if (duration > absl::Seconds(kMaxSeconds)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is more than ", kMaxSeconds, "s"));
  }
  return duration;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  absl::Duration rest;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto.set_nanos(static_cast<int32_t>(
      absl::IDivDuration(rest, absl::Nanoseconds(1), &rest)));
  return proto;
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

absl::StatusOr<int64_t> ParseSize(absl::string_view text) {
  const absl::Status error = absl::InvalidArgumentError(
      absl::StrCat("'", text,
                   "' is not a size: write bytes as 65536, or 64K, 64M, 1G, "
                   "1GiB (powers of 1024)"));
  const size_t end =
      std::min(text.find_first_not_of("0123456789"), text.size());
  const int shift = ShiftOf(text.substr(end));
  if (end == 0 || shift < 0) return error;
  uint64_t number;
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (!absl::SimpleAtoi(text.substr(0, end), &number) ||
      number > kMax >> shift) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is more than ", kMax, " bytes"));
  }
  return static_cast<int64_t>(number << shift);
}

absl::StatusOr<int64_t> ParseCount(absl::string_view text, int64_t min,
                                   int64_t max) {
  int64_t number;
  if (!absl::SimpleAtoi(text, &number)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not a whole number up to ", max));
  }
  if (number < min || number > max) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not between ", min, " and ", max));
  }
  return number;
}

absl::StatusOr<std::pair<std::string, std::string>> ParsePair(
    absl::string_view text) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' has no '='"));
  }
  if (equals == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' has nothing before the '='"));
  }
  return std::make_pair(std::string(text.substr(0, equals)),
                        std::string(text.substr(equals + 1)));
}

}  // namespace paddock
