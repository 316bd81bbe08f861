#include "server/api/error_status.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/jobs/duration.h"
#include "worker/base/utf8.h"

namespace paddock {
namespace {

constexpr char kDomain[] = "paddock";
// Of grpc-message, which travels percent-encoded, and of all violations, which
// travel in base 64.
constexpr size_t kMaxMessageBytes = 1000;
constexpr size_t kMaxViolationBytes = 3000;
constexpr size_t kViolationOverhead = 8;  // tags and lengths
constexpr size_t kMaxTextBytes = 300;

// `text` cut to what may stand in a protobuf string.
std::string Cut(const std::string& text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  const absl::string_view head = absl::string_view(text).substr(0, max_bytes);
  return absl::StrCat(head.substr(0, ValidUtf8Prefix(head)), "...");
}

google::rpc::ErrorInfo Info(const std::string& reason,
                            std::map<std::string, std::string> metadata = {}) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain(kDomain);
  info.mutable_metadata()->insert(metadata.begin(), metadata.end());
  return info;
}

grpc::Status MakeStatus(
    grpc::StatusCode code, const std::string& message,
    std::initializer_list<const google::protobuf::Message*> details) {
  google::rpc::Status status;
  status.set_code(code);
  status.set_message(Cut(message, kMaxMessageBytes));
  for (const google::protobuf::Message* detail : details) {
    status.add_details()->PackFrom(*detail);
  }
  return grpc::Status(code, status.message(), status.SerializeAsString());
}

// `text` with the bytes escaped that could fool a reader of a log: controls,
// what is not UTF-8, and the escaping character.
std::string Printable(absl::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t valid = ValidUtf8Prefix(text);
    for (absl::string_view good = text.substr(0, valid); !good.empty();) {
      const size_t escaped = good[0] == '\\' ? 1 : ControlPrefix(good);
      if (escaped > 0) {
        absl::StrAppend(&result, absl::CHexEscape(good.substr(0, escaped)));
      } else {
        result.push_back(good[0]);
      }
      good.remove_prefix(std::max<size_t>(1, escaped));
    }
    absl::StrAppend(&result, absl::CHexEscape(text.substr(valid, 1)));
    text.remove_prefix(std::min(valid + 1, text.size()));
  }
  return result;
}

// "a: b", "a: b (and 3 more)". Fields are printable already.
std::string Summary(const std::vector<FieldViolation>& violations) {
  std::string text = absl::StrCat(violations[0].field, ": ",
                                  Printable(violations[0].description));
  text = Cut(text, kMaxTextBytes * 2);
  if (violations.size() > 1) {
    absl::StrAppend(&text, " (and ", violations.size() - 1, " more)");
  }
  return text;
}

google::rpc::BadRequest MakeBadRequest(
    const std::vector<FieldViolation>& violations) {
  google::rpc::BadRequest bad_request;
  size_t bytes = 0;
  for (const FieldViolation& violation : violations) {
    const std::string field = Cut(violation.field, kMaxTextBytes);
    const std::string description = Cut(violation.description, kMaxTextBytes);
    bytes += field.size() + description.size() + kViolationOverhead;
    if (bytes > kMaxViolationBytes) break;
    auto* added = bad_request.add_field_violations();
    added->set_field(field);
    added->set_description(description);
  }
  return bad_request;
}

struct RejectionText {
  grpc::StatusCode code;
  const char* reason;
  const char* message;
  absl::Duration retry_delay;
};

RejectionText TextOf(Rejection why) {
  switch (why) {
    case Rejection::kQueueFull:
      return {grpc::StatusCode::RESOURCE_EXHAUSTED, "QUEUE_FULL",
              "too many jobs wait for a worker", absl::Milliseconds(500)};
    case Rejection::kDraining:
      return {grpc::StatusCode::UNAVAILABLE, "DRAINING",
              "the server is stopping", absl::Seconds(1)};
    case Rejection::kNoWorkers:
      return {grpc::StatusCode::UNAVAILABLE, "NO_WORKERS", "no worker is up",
              absl::Seconds(1)};
    default:
      return {grpc::StatusCode::UNAVAILABLE, "OUT_OF_RESOURCES",
              "the server is out of memory or descriptors", absl::Seconds(1)};
  }
}

}  // namespace

grpc::Status InvalidArgument(const std::vector<FieldViolation>& violations) {
  const google::rpc::ErrorInfo info = Info("INVALID_REQUEST");
  const google::rpc::BadRequest bad_request = MakeBadRequest(violations);
  return MakeStatus(grpc::StatusCode::INVALID_ARGUMENT, Summary(violations),
                    {&info, &bad_request});
}

grpc::Status UnimplementedFields(const std::vector<Unimplemented>& fields) {
  std::vector<FieldViolation> violations;
  for (const Unimplemented& field : fields) {
    violations.push_back({field.field, "is not implemented by this server"});
  }
  const google::rpc::ErrorInfo info =
      Info("FIELD_NOT_IMPLEMENTED",
           {{"field", Cut(fields[0].field, kMaxTextBytes)}});
  const google::rpc::BadRequest bad_request = MakeBadRequest(violations);
  return MakeStatus(grpc::StatusCode::UNIMPLEMENTED, Summary(violations),
                    {&info, &bad_request});
}

grpc::Status UnenforceableLimit(const std::string& field,
                                const std::string& description) {
  const google::rpc::ErrorInfo info =
      Info("LIMIT_NOT_ENFORCEABLE", {{"field", field}});
  google::rpc::PreconditionFailure failure;
  google::rpc::PreconditionFailure::Violation* violation =
      failure.add_violations();
  violation->set_type("LIMIT_NOT_ENFORCEABLE");
  violation->set_subject(field);
  violation->set_description(description);
  return MakeStatus(grpc::StatusCode::FAILED_PRECONDITION,
                    absl::StrCat(field, ": ", description), {&info, &failure});
}

grpc::Status UnimplementedRpc(const std::string& rpc) {
  const google::rpc::ErrorInfo info =
      Info("RPC_NOT_IMPLEMENTED", {{"rpc", rpc}});
  return MakeStatus(grpc::StatusCode::UNIMPLEMENTED,
                    absl::StrCat(rpc, " is not implemented by this server"),
                    {&info});
}

grpc::Status Rejected(Rejection why, grpc::CallbackServerContext* context) {
  const RejectionText text = TextOf(why);
  const google::rpc::ErrorInfo info = Info(text.reason);
  google::rpc::RetryInfo retry;
  *retry.mutable_retry_delay() = ToProto(text.retry_delay);
  context->AddTrailingMetadata(
      "grpc-retry-pushback-ms",
      absl::StrCat(absl::ToInt64Milliseconds(text.retry_delay)));
  if (why != Rejection::kQueueFull) {
    return MakeStatus(text.code, text.message, {&info, &retry});
  }
  google::rpc::QuotaFailure quota;
  google::rpc::QuotaFailure::Violation* violation = quota.add_violations();
  violation->set_subject("queue");
  violation->set_description(text.message);
  return MakeStatus(text.code, text.message, {&info, &retry, &quota});
}

}  // namespace paddock
