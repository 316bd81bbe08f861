#include "client/message_format.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/utf8_check.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/json_util.h"

namespace paddock {
namespace {

class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  // Positions come from 0.
  void AddError(int line, int column, const std::string& message) override {
    if (!text_.empty()) return;
    text_ = line < 0 ? message
                     : absl::StrCat("line ", line + 1, ", column ", column + 1,
                                    ": ", message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

absl::Status ParseJson(absl::string_view content,
                       google::protobuf::Message* message) {
  // protobuf's parser would take other bytes into strings.
  if (!IsUtf8(content)) return absl::InvalidArgumentError("not UTF-8");
  const auto status = google::protobuf::util::JsonStringToMessage(
      std::string(content), message);
  if (status.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("not a ", message->GetDescriptor()->full_name(),
                   " in JSON: ", status.message().ToString()));
}

absl::Status ParseText(absl::string_view content,
                       google::protobuf::Message* message) {
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (parser.ParseFromString(std::string(content), message)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("not a ", message->GetDescriptor()->full_name(),
                   " in text format: ", error.text()));
}

}  // namespace

MessageFormat GuessFormat(absl::string_view content) {
  for (;;) {
    content = absl::StripLeadingAsciiWhitespace(content);
    if (!absl::ConsumePrefix(&content, "#")) break;
    content.remove_prefix(std::min(content.find('\n'), content.size()));
  }
  return !content.empty() && content[0] == '{' ? MessageFormat::kJson
                                               : MessageFormat::kText;
}

absl::Status ParseMessage(absl::string_view content,
                          google::protobuf::Message* message) {
  return GuessFormat(content) == MessageFormat::kJson
             ? ParseJson(content, message)
             : ParseText(content, message);
}

absl::StatusOr<std::string> PrintMessage(
    const google::protobuf::Message& message, MessageFormat format) {
  std::string text;
  if (format == MessageFormat::kText) {
    google::protobuf::TextFormat::Printer printer;
    // Text stays readable; bytes that are no UTF-8 are escaped all the same.
    printer.SetUseUtf8StringEscaping(true);
    if (!printer.PrintToString(message, &text)) {
      return absl::InternalError("cannot print the message");
    }
    return text;
  }
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &text, options);
  if (!status.ok()) {
    return absl::InternalError(absl::StrCat(
        "cannot write the message as JSON: ", status.message().ToString()));
  }
  // The printer ends a message of several lines with a newline, "{}" without.
  if (text.empty() || text.back() != '\n') text.push_back('\n');
  return text;
}

}  // namespace paddock
