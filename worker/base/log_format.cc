#include "worker/base/log_format.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "worker/base/utf8.h"

namespace paddock {

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  while (!text.empty()) {
    const size_t valid = ValidUtf8Prefix(text);
    for (const char c : text.substr(0, valid)) {
      if (c == '"' || c == '\\') {
        json.push_back('\\');
        json.push_back(c);
      } else if (absl::ascii_iscntrl(c)) {
        absl::StrAppendFormat(&json, "\\u%04x", c);
      } else {
        json.push_back(c);
      }
    }
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
