#include "server/config/yaml_scalar.h"

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/duration.pb.h"
#include "server/config/scalar_text.h"
#include "worker/base/status_macros.h"
#include "worker/base/utf8.h"

namespace paddock {
namespace {

using google::protobuf::Duration;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool IsDuration(const FieldDescriptor* field) {
  return field->message_type() == Duration::descriptor();
}

bool IsBytes(const FieldDescriptor* field) {
  constexpr char kSuffix[] = "_bytes";
  const std::string& name = field->name();
  return field->cpp_type() == FieldDescriptor::CPPTYPE_INT64 &&
         name.size() > sizeof(kSuffix) &&
         name.compare(name.size() - (sizeof(kSuffix) - 1), std::string::npos,
                      kSuffix) == 0;
}

template <typename T>
absl::StatusOr<T> ParseNumber(const std::string& text) {
  T value = 0;
  if (!absl::SimpleAtoi(text, &value)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a whole number of at most ", 8 * sizeof(T),
                     std::is_signed_v<T> ? " bits" : " bits, not negative",
                     ", got '", text, "'"));
  }
  return value;
}

absl::StatusOr<double> ParseDouble(const std::string& text) {
  double value = 0;
  if (!absl::SimpleAtod(text, &value)) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a number, got '", text, "'"));
  }
  return value;
}

absl::StatusOr<bool> ParseBool(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return absl::InvalidArgumentError(
      absl::StrCat("expected true or false, got '", text, "'"));
}

// What protobuf, and what reads a path or a variable, would not take as it is.
absl::Status CheckText(const std::string& text) {
  if (!IsValidUtf8(text)) return absl::InvalidArgumentError("not UTF-8");
  if (text.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("holds a NUL character");
  }
  return absl::OkStatus();
}

}  // namespace

bool IsPlainMessage(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         !IsDuration(field);
}

absl::Status SetScalar(const std::string& text, const FieldDescriptor* field,
                       Message* message) {
  const Reflection* to = message->GetReflection();
  const bool add = field->is_repeated();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      ASSIGN_OR_RETURN(const int32_t value, ParseNumber<int32_t>(text));
      add ? to->AddInt32(message, field, value)
          : to->SetInt32(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      ASSIGN_OR_RETURN(const uint32_t value, ParseNumber<uint32_t>(text));
      add ? to->AddUInt32(message, field, value)
          : to->SetUInt32(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      ASSIGN_OR_RETURN(const int64_t value, IsBytes(field)
                                                ? ParseBytes(text)
                                                : ParseNumber<int64_t>(text));
      add ? to->AddInt64(message, field, value)
          : to->SetInt64(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_DOUBLE: {
      ASSIGN_OR_RETURN(const double value, ParseDouble(text));
      add ? to->AddDouble(message, field, value)
          : to->SetDouble(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      ASSIGN_OR_RETURN(const bool value, ParseBool(text));
      add ? to->AddBool(message, field, value)
          : to->SetBool(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_STRING:
      RETURN_IF_ERROR(CheckText(text));
      add ? to->AddString(message, field, text)
          : to->SetString(message, field, text);
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_ENUM: {
      ASSIGN_OR_RETURN(const int value,
                       ParseEnumText(field->enum_type(), text));
      add ? to->AddEnumValue(message, field, value)
          : to->SetEnumValue(message, field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      ASSIGN_OR_RETURN(const Duration value, ParseDurationText(text));
      (add ? to->AddMessage(message, field)
           : to->MutableMessage(message, field))
          ->CopyFrom(value);
      return absl::OkStatus();
    }
    default:
      return absl::InternalError(absl::StrCat(
          "the configuration has no fields of type ", field->type_name()));
  }
}

std::string GetScalar(const Message& message, const FieldDescriptor* field,
                      int index) {
  const Reflection* from = message.GetReflection();
  const bool one = index < 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(one ? from->GetInt32(message, field)
                              : from->GetRepeatedInt32(message, field, index));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(one ? from->GetUInt32(message, field)
                              : from->GetRepeatedUInt32(message, field, index));
    case FieldDescriptor::CPPTYPE_INT64: {
      const int64_t value = one ? from->GetInt64(message, field)
                                : from->GetRepeatedInt64(message, field, index);
      return IsBytes(field) ? FormatBytes(value) : absl::StrCat(value);
    }
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrCat(one ? from->GetDouble(message, field)
                              : from->GetRepeatedDouble(message, field, index));
    case FieldDescriptor::CPPTYPE_BOOL:
      return (one ? from->GetBool(message, field)
                  : from->GetRepeatedBool(message, field, index))
                 ? "true"
                 : "false";
    case FieldDescriptor::CPPTYPE_STRING:
      return one ? from->GetString(message, field)
                 : from->GetRepeatedString(message, field, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return FormatEnumText(
          field->enum_type(),
          one ? from->GetEnumValue(message, field)
              : from->GetRepeatedEnumValue(message, field, index));
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      Duration value;
      value.CopyFrom(one ? from->GetMessage(message, field)
                         : from->GetRepeatedMessage(message, field, index));
      return FormatDurationText(value);
    }
    default:
      return "";
  }
}

}  // namespace paddock
