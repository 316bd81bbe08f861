#include "client/error_text.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "google/protobuf/any.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace paddock {
namespace {

// Escapes control characters only: quotes and other letters are for people.
std::string Printable(absl::string_view text) {
  std::string result;
  for (const char c : text) {
    if (absl::ascii_iscntrl(c)) {
      absl::StrAppend(&result, absl::CHexEscape(absl::string_view(&c, 1)));
    } else {
      result.push_back(c);
    }
  }
  return result;
}

void AppendLine(absl::string_view subject, absl::string_view description,
                std::string* text) {
  const std::string line =
      absl::StrCat(Printable(subject), ": ", Printable(description));
  // The message itself may name the first of several.
  if (!absl::StartsWith(*text, line)) absl::StrAppend(text, "\n  ", line);
}

void AppendErrorInfo(const google::rpc::ErrorInfo& info, std::string* text) {
  AppendLine("reason", info.reason(), text);
  // In the order of keys, so that equal errors have equal texts.
  const std::map<std::string, std::string> metadata(info.metadata().begin(),
                                                    info.metadata().end());
  for (const auto& [key, value] : metadata) AppendLine(key, value, text);
}

// A detail of a kind that is not known here is left out.
void AppendDetail(const google::protobuf::Any& detail, std::string* text) {
  google::rpc::BadRequest bad_request;
  google::rpc::ErrorInfo info;
  google::rpc::RetryInfo retry;
  google::rpc::QuotaFailure quota;
  google::rpc::PreconditionFailure precondition;
  if (detail.UnpackTo(&bad_request)) {
    for (const auto& violation : bad_request.field_violations()) {
      AppendLine(violation.field(), violation.description(), text);
    }
  } else if (detail.UnpackTo(&info)) {
    AppendErrorInfo(info, text);
  } else if (detail.UnpackTo(&retry)) {
    const absl::Duration delay = absl::Seconds(retry.retry_delay().seconds()) +
                                 absl::Nanoseconds(retry.retry_delay().nanos());
    AppendLine("try again after", absl::FormatDuration(delay), text);
  } else if (detail.UnpackTo(&quota)) {
    for (const auto& violation : quota.violations()) {
      AppendLine(violation.subject(), violation.description(), text);
    }
  } else if (detail.UnpackTo(&precondition)) {
    for (const auto& violation : precondition.violations()) {
      AppendLine(violation.subject(), violation.description(), text);
    }
  }
}

}  // namespace

std::string ErrorText(const grpc::Status& status) {
  std::string text = Printable(status.error_message());
  google::rpc::Status details;
  if (status.error_details().empty() ||
      !details.ParseFromString(status.error_details())) {
    return text;
  }
  for (const google::protobuf::Any& detail : details.details()) {
    AppendDetail(detail, &text);
  }
  return text;
}

std::string WithCode(const absl::Status& status) {
  return absl::StrCat(absl::StatusCodeToString(status.code()), ": ",
                      status.message());
}

}  // namespace paddock
