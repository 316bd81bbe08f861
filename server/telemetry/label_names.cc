#include "server/telemetry/label_names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "google/protobuf/descriptor.h"

namespace paddock {
namespace {

std::string Label(const google::protobuf::EnumValueDescriptor* value,
                  absl::string_view prefix) {
  if (value == nullptr) return "unknown";
  return absl::AsciiStrToLower(absl::StripPrefix(value->name(), prefix));
}

std::vector<std::string> Labels(const google::protobuf::EnumDescriptor* type,
                                absl::string_view prefix) {
  std::vector<std::string> labels;
  for (int i = 0; i < type->value_count(); ++i) {
    if (type->value(i)->number() == 0) continue;
    labels.push_back(Label(type->value(i), prefix));
  }
  return labels;
}

constexpr char kOutcomePrefix[] = "OUTCOME_";
constexpr char kLimitPrefix[] = "LIMIT_KIND_";

}  // namespace

std::string OutcomeLabel(v1::Outcome outcome) {
  return Label(v1::Outcome_descriptor()->FindValueByNumber(outcome),
               kOutcomePrefix);
}

std::string LimitLabel(v1::LimitKind limit) {
  return Label(v1::LimitKind_descriptor()->FindValueByNumber(limit),
               kLimitPrefix);
}

std::vector<std::string> OutcomeLabels() {
  return Labels(v1::Outcome_descriptor(), kOutcomePrefix);
}

std::vector<std::string> LimitLabels() {
  return Labels(v1::LimitKind_descriptor(), kLimitPrefix);
}

}  // namespace paddock
