#include "server/config/scalar_text.h"

#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace paddock {
namespace {

struct Unit {
  const char* suffix;
  int64_t bytes;
};
constexpr Unit kUnits[] = {
    // the largest first: Format takes the first fit
    {"TiB", int64_t{1} << 40},
    {"GiB", int64_t{1} << 30},
    {"MiB", int64_t{1} << 20},
    {"KiB", int64_t{1} << 10},
};

// "FULL_PROC" of the type Weakening has the prefix "WEAKENING_".
std::string EnumPrefix(const google::protobuf::EnumDescriptor* type) {
  std::string prefix;
  for (const char c : type->name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix += '_';
    prefix += absl::ascii_toupper(c);
  }
  return prefix + "_";
}

}  // namespace

absl::StatusOr<int64_t> ParseBytes(const std::string& text) {
  absl::string_view number = text;
  int64_t unit = 1;
  for (const Unit& candidate : kUnits) {
    if (absl::ConsumeSuffix(&number, candidate.suffix)) {
      unit = candidate.bytes;
      break;
    }
  }
  int64_t value = 0;
  if (!absl::SimpleAtoi(number, &value)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected bytes, a whole number or one with KiB, MiB, GiB or TiB, "
        "got '",
        text, "'"));
  }
  int64_t bytes = 0;
  if (__builtin_mul_overflow(value, unit, &bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is too large"));
  }
  return bytes;
}

std::string FormatBytes(int64_t bytes) {
  for (const Unit& unit : kUnits) {
    if (bytes != 0 && bytes % unit.bytes == 0) {
      return absl::StrCat(bytes / unit.bytes, unit.suffix);
    }
  }
  return absl::StrCat(bytes);
}

absl::StatusOr<google::protobuf::Duration> ParseDurationText(
    const std::string& text) {
  absl::Duration duration;
  // protobuf's range is 10,000 years; "inf" lies outside it too.
  const absl::Duration most = absl::Hours(24LL * 365 * 10000);
  if (!absl::ParseDuration(text, &duration) || duration > most ||
      duration < -most) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected a duration such as 2s, 500ms or 1h30m, got '", text, "'"));
  }
  google::protobuf::Duration result;
  result.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &duration));
  result.set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(duration)));
  return result;
}

std::string FormatDurationText(const google::protobuf::Duration& duration) {
  const absl::Duration value =
      absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  return value == absl::ZeroDuration() ? "0s" : absl::FormatDuration(value);
}

absl::StatusOr<uint32_t> ParseFileMode(const std::string& text) {
  uint32_t mode = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '7' || mode > 0777) {
      mode = 01000;
      break;
    }
    mode = mode * 8 + static_cast<uint32_t>(digit - '0');
  }
  if (text.empty() || mode > 0777) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected a file mode in octal, at most 0777, got '", text, "'"));
  }
  return mode;
}

absl::StatusOr<int> ParseEnumText(const google::protobuf::EnumDescriptor* type,
                                  const std::string& text) {
  std::vector<std::string> names;
  for (int i = 0; i < type->value_count(); ++i) {
    const int number = type->value(i)->number();
    if (number == 0) continue;
    names.push_back(FormatEnumText(type, number));
    if (names.back() == text) return number;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "expected one of ", absl::StrJoin(names, ", "), ", got '", text, "'"));
}

std::string FormatEnumText(const google::protobuf::EnumDescriptor* type,
                           int number) {
  const auto* value = type->FindValueByNumber(number);
  if (value == nullptr) return absl::StrCat(number);
  return absl::AsciiStrToLower(
      absl::StripPrefix(value->name(), EnumPrefix(type)));
}

absl::StatusOr<HostPort> ParseHostPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  HostPort result;
  bool good = colon != std::string::npos && colon > 0;
  if (good) {
    result.host = text.substr(0, colon);
    const std::string port = text.substr(colon + 1);
    good = absl::SimpleAtoi(port, &result.port) && result.port >= 0 &&
           result.port <= std::numeric_limits<uint16_t>::max() &&
           port.find_first_not_of("0123456789") == std::string::npos;
  }
  if (good && result.host.front() == '[' && result.host.back() == ']') {
    result.host = result.host.substr(1, result.host.size() - 2);
    good = !result.host.empty();
  } else if (good) {
    good = result.host.find_first_of(":[]/ ") == std::string::npos;
  }
  if (!good) {
    return absl::InvalidArgumentError(absl::StrCat(
        "expected host:port with a port of 0 to 65535, as 127.0.0.1:50051 or "
        "[::1]:50051, got '",
        text, "'"));
  }
  return result;
}

}  // namespace paddock
