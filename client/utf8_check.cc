#include "client/utf8_check.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"

namespace paddock {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The length of the character that `text`, not empty, starts with; 0 if none.
size_t CharacterLength(absl::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  const size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // What these starts leave of the second byte: RFC 3629, section 4.
  if (first == 0xE0 && byte(1) < 0xA0) return 0;
  if (first == 0xED && byte(1) > 0x9F) return 0;
  if (first == 0xF0 && byte(1) < 0x90) return 0;
  if (first == 0xF4 && byte(1) > 0x8F) return 0;
  return length;
}

absl::Status CheckString(const std::string& text, const std::string& path) {
  if (IsUtf8(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": is not UTF-8"));
}

// Finds the first bad string. The two call each other; `path` is that of
// `message`, with a dot behind it unless it is empty.
struct Checker {
  static absl::Status Check(const Message& message, const std::string& path) {
    std::vector<const FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      const bool is_string = field->type() == FieldDescriptor::TYPE_STRING;
      const bool is_message =
          field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      if (!is_string && !is_message) continue;
      const absl::Status status =
          CheckField(message, field, absl::StrCat(path, field->name()));
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  static absl::Status CheckField(const Message& message,
                                 const FieldDescriptor* field,
                                 const std::string& path) {
    const auto* reflection = message.GetReflection();
    if (!field->is_repeated()) {
      return field->type() == FieldDescriptor::TYPE_STRING
                 ? CheckString(reflection->GetString(message, field), path)
                 : Check(reflection->GetMessage(message, field),
                         absl::StrCat(path, "."));
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      const std::string item = absl::StrCat(path, "[", i, "]");
      const absl::Status status =
          field->type() == FieldDescriptor::TYPE_STRING
              ? CheckString(reflection->GetRepeatedString(message, field, i),
                            item)
              : Check(reflection->GetRepeatedMessage(message, field, i),
                      absl::StrCat(item, "."));
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
};

}  // namespace

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

absl::Status CheckUtf8(const Message& message) {
  return Checker::Check(message, "");
}

}  // namespace paddock
