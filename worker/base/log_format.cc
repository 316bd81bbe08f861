#include "worker/base/log_format.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "worker/base/utf8.h"

namespace paddock {

namespace {

// Of the one character that is `bytes`, of at most three.
unsigned CodePoint(absl::string_view bytes) {
  const auto byte = [bytes](size_t i) {
    return static_cast<uint8_t>(bytes[i]);
  };
  if (bytes.size() == 1) return byte(0);
  if (bytes.size() == 2) return (byte(0) & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
  return (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
}

// `text` is valid UTF-8.
void AppendEscaped(absl::string_view text, std::string* json) {
  while (!text.empty()) {
    const size_t control = ControlPrefix(text);
    if (control > 0) {
      absl::StrAppendFormat(json, "\\u%04x",
                            CodePoint(text.substr(0, control)));
      text.remove_prefix(control);
      continue;
    }
    if (text[0] == '"' || text[0] == '\\') json->push_back('\\');
    json->push_back(text[0]);
    text.remove_prefix(1);
  }
}

}  // namespace

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  while (!text.empty()) {
    const size_t valid = ValidUtf8Prefix(text);
    AppendEscaped(text.substr(0, valid), &json);
    text.remove_prefix(valid);
    if (text.empty()) break;
    json += "\\ufffd";
    text.remove_prefix(1);
  }
  json.push_back('"');
  return json;
}

std::string JsonLogLine(absl::Time time, absl::string_view level,
                        absl::string_view members) {
  return absl::StrCat(
      "{\"time\":\"",
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()),
      "\",\"level\":\"", level, "\",", members, "}\n");
}

}  // namespace paddock
