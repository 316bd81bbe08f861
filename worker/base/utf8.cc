#include "worker/base/utf8.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace paddock {
namespace {

// Bytes of the sequence that begins with `lead`, and the range that its second
// byte must be in; the others are 80..BF. Unicode, table 3-7.
struct SequenceForm {
  int length;  // 0: no sequence begins so
  uint8_t second_min;
  uint8_t second_max;
};

SequenceForm FormOf(uint8_t lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

size_t ValidUtf8Prefix(absl::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const SequenceForm form = FormOf(bytes[at]);
    if (form.length == 0 || at + form.length > bytes.size()) return at;
    for (int i = 1; i < form.length; ++i) {
      const auto byte = static_cast<uint8_t>(bytes[at + i]);
      const uint8_t min = i == 1 ? form.second_min : 0x80;
      const uint8_t max = i == 1 ? form.second_max : 0xBF;
      if (byte < min || byte > max) return at;
    }
    at += form.length;
  }
  return at;
}

size_t ControlPrefix(absl::string_view text) {
  if (text.empty()) return 0;
  if (absl::ascii_iscntrl(text[0])) return 1;
  const auto begins = [text](absl::string_view lead, uint8_t min, uint8_t max) {
    if (!absl::StartsWith(text, lead) || text.size() == lead.size()) {
      return false;
    }
    const auto next = static_cast<uint8_t>(text[lead.size()]);
    return next >= min && next <= max;
  };
  if (begins("\xC2", 0x80, 0x9F)) return 2;
  if (begins("\xE2\x80", 0xA8, 0xAE)) return 3;
  if (begins("\xE2\x81", 0xA6, 0xA9)) return 3;
  return 0;
}

bool HasControls(absl::string_view text) {
  for (; !text.empty(); text.remove_prefix(1)) {
    if (ControlPrefix(text) > 0) return true;
  }
  return false;
}

}  // namespace paddock
