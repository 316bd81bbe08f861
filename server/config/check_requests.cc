#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/time_util.h"
#include "server/config/check_config.h"
#include "server/config/yaml_scalar.h"
#include "worker/wire/channel.h"
#include "worker/wire/check_report.h"
#include "worker/wire/limits_check.h"

namespace paddock {
namespace {

using google::protobuf::Duration;
using google::protobuf::FieldDescriptor;
using google::protobuf::util::TimeUtil;

// Room in a channel's message for what stands beside the request.
constexpr int64_t kMostRequestBytes = 95 << 20;
static_assert(kMostRequestBytes < kMaxMessageBytes);
constexpr int64_t kLeastRequestBytes = 64 << 10;
constexpr int kMostQueued = 1'000'000;

// The value as a number that compares within one field.
double Number(const v1::Limits& limits, const FieldDescriptor* field) {
  const auto* from = limits.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return from->GetInt32(limits, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return static_cast<double>(from->GetInt64(limits, field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return from->GetDouble(limits, field);
    default: {
      Duration duration;
      duration.CopyFrom(from->GetMessage(limits, field));
      return static_cast<double>(TimeUtil::DurationToNanoseconds(duration));
    }
  }
}

// By the rules of a request: what no request may say, no default may give it.
void CheckByRequestRules(const char* path, const v1::Limits& limits,
                         Problems* problems) {
  std::vector<FieldViolation> violations;
  std::vector<Unimplemented> none;
  CheckLimits(limits, {}, CheckReport(path, &violations, &none));
  for (const FieldViolation& violation : violations) {
    problems->push_back(
        absl::StrCat(violation.field, ": ", violation.description));
  }
}

void CheckDefaultsBelowMaxima(const config::v1::Requests& requests,
                              Problems* problems) {
  const auto* type = v1::Limits::descriptor();
  const v1::Limits& limits = requests.default_limits();
  const v1::Limits& max = requests.max_limits();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (!limits.GetReflection()->HasField(limits, field)) continue;
    if (Number(limits, field) > Number(max, field)) {
      problems->push_back(absl::StrCat(
          "requests.default_limits.", field->name(), ": ",
          GetScalar(limits, field, -1), " is above requests.max_limits.",
          field->name(), ", ", GetScalar(max, field, -1),
          ": lower the first or raise the second"));
    }
  }
}

void CheckMemoryBudget(const config::v1::Requests& requests,
                       Problems* problems) {
  const int64_t budget = requests.memory_budget_bytes();
  if (budget <= 0) {
    problems->push_back(absl::StrCat("requests.memory_budget_bytes: ", budget,
                                     " is not above 0"));
    return;
  }
  const v1::Limits& limits = requests.default_limits();
  // No sum: the two may be anything.
  if (limits.memory_bytes() > budget ||
      limits.workspace_bytes() > budget - limits.memory_bytes()) {
    problems->push_back(absl::StrCat(
        "requests.memory_budget_bytes: ", budget,
        " is less than memory_bytes and workspace_bytes of "
        "requests.default_limits together: no process without limits of its "
        "own could run. Lower these or raise it"));
  }
  if (requests.max_limits().memory_bytes() > budget) {
    problems->push_back(absl::StrCat("requests.max_limits.memory_bytes: ",
                                     requests.max_limits().memory_bytes(),
                                     " is above requests.memory_budget_bytes, ",
                                     budget,
                                     ": lower the first or raise the second"));
  }
}

}  // namespace

void CheckRequests(const config::v1::Requests& requests, const HostFacts& host,
                   Problems* problems) {
  CheckByRequestRules("requests.default_limits", requests.default_limits(),
                      problems);
  CheckByRequestRules("requests.max_limits", requests.max_limits(), problems);
  CheckDefaultsBelowMaxima(requests, problems);
  if (requests.max_limits().open_files() > host.open_files) {
    problems->push_back(absl::StrCat(
        "requests.max_limits.open_files: ", requests.max_limits().open_files(),
        " is above ", host.open_files,
        ", the most descriptors this daemon may give a process: raise its hard "
        "limit (ulimit -Hn, LimitNOFILE=)"));
  }
  const int64_t bytes = requests.max_request_bytes();
  if (bytes < kLeastRequestBytes || bytes > kMostRequestBytes) {
    problems->push_back(absl::StrCat("requests.max_request_bytes: ", bytes,
                                     " is not within ", kLeastRequestBytes,
                                     " to ", kMostRequestBytes));
  }
  const int64_t budget = requests.inline_budget_bytes();
  if (budget < 0 || budget > kMostRequestBytes) {
    problems->push_back(absl::StrCat("requests.inline_budget_bytes: ", budget,
                                     " is not within 0 to ",
                                     kMostRequestBytes));
  }
  if (requests.queue_bytes() < requests.max_request_bytes()) {
    problems->push_back(absl::StrCat(
        "requests.queue_bytes: ", requests.queue_bytes(),
        " is less than max_request_bytes, ", requests.max_request_bytes(),
        ": raise the first or lower the second"));
  }
  CheckMemoryBudget(requests, problems);
  if (requests.queue_capacity() < 0 ||
      requests.queue_capacity() > kMostQueued) {
    problems->push_back(
        absl::StrCat("requests.queue_capacity: ", requests.queue_capacity(),
                     " is not within 0 to ", kMostQueued));
  }
}

}  // namespace paddock
