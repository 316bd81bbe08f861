#include "worker/policy/seccomp_policy.h"

#include <iterator>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "worker/base/status_macros.h"
#include "worker/policy/bpf_compiler.h"
#include "worker/policy/rules.h"
#include "worker/policy/system_calls.h"

namespace paddock {
namespace {

// AlreadyExists if a call has two rules: which one held would be a matter of
// their order.
absl::Status AddCallRules(absl::Span<const CallRule> rules, FilterSpec* spec) {
  for (const CallRule& rule : rules) {
    for (absl::string_view name :
         absl::StrSplit(rule.names, ' ', absl::SkipEmpty())) {
      const std::optional<uint32_t> number =
          SystemCallNumber(spec->architecture, name);
      if (!number.has_value()) continue;  // not on this architecture
      if (!spec->calls.emplace(*number, CallVerdict{{}, rule.verdict}).second) {
        return absl::AlreadyExistsError(absl::StrCat("two rules for ", name));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status AddArgumentRules(absl::Span<const ArgumentRule> rules,
                              FilterSpec* spec) {
  for (const ArgumentRule& rule : rules) {
    const std::optional<uint32_t> number =
        SystemCallNumber(spec->architecture, rule.name);
    if (!number.has_value()) continue;
    const auto call = spec->calls.find(*number);
    if (call == spec->calls.end()) {
      return absl::NotFoundError(absl::StrCat("no call rule for ", rule.name));
    }
    call->second.clauses.push_back(
        {{std::begin(rule.tests), std::end(rule.tests)}, rule.verdict});
  }
  return absl::OkStatus();
}

// FailedPrecondition if a rule weakens what was not refused outright: a
// verdict by arguments must not be lost unseen.
absl::Status Weaken(Weakenings weakenings, FilterSpec* spec) {
  for (const WeakeningRule& rule : WeakeningRules()) {
    if (!weakenings.Has(rule.weakening)) continue;
    for (absl::string_view name :
         absl::StrSplit(rule.names, ' ', absl::SkipEmpty())) {
      const std::optional<uint32_t> number =
          SystemCallNumber(spec->architecture, name);
      if (!number.has_value()) continue;
      const auto call = spec->calls.find(*number);
      if (call == spec->calls.end() || !call->second.clauses.empty() ||
          call->second.otherwise == kAllow ||
          call->second.otherwise == kViolation) {
        return absl::FailedPreconditionError(
            absl::StrCat(name, " cannot be opened by a weakening"));
      }
      call->second.otherwise = kAllow;
    }
  }
  return absl::OkStatus();
}

// Takes out the rules for what a program of this worker may be allowed.
void Spare(Weakenings weakenings, FilterSpec* spec) {
  for (const WeakeningRule& rule : WeakeningRules()) {
    if (!weakenings.Has(rule.weakening)) continue;
    for (absl::string_view name :
         absl::StrSplit(rule.names, ' ', absl::SkipEmpty())) {
      const std::optional<uint32_t> number =
          SystemCallNumber(spec->architecture, name);
      if (number.has_value()) spec->calls.erase(*number);
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<sock_filter>> CompileSandboxFilter(
    const FilterOptions& options) {
  FilterSpec spec;
  spec.architecture = NativeArchitecture();
  spec.foreign_architecture_verdict = kViolation;
  spec.default_verdict = Errno(ENOSYS);
  spec.marked_number_verdict = Errno(ENOSYS);
  RETURN_IF_ERROR(AddCallRules(ProgramCallRules(), &spec));
  if (options.internet_sockets) {
    RETURN_IF_ERROR(AddArgumentRules(InternetSocketRules(), &spec));
  }
  RETURN_IF_ERROR(AddArgumentRules(ProgramArgumentRules(), &spec));
  RETURN_IF_ERROR(Weaken(options.weakenings, &spec));
  return CompileFilter(spec);
}

absl::StatusOr<std::vector<sock_filter>> CompileWorkerFilter(
    Weakenings weakenings) {
  FilterSpec spec;
  spec.architecture = NativeArchitecture();
  spec.default_verdict = kAllow;
  // Their numbers are others: the rules would not hold.
  spec.foreign_architecture_verdict = kUntraced;
  spec.marked_number_verdict = kUntraced;
  RETURN_IF_ERROR(AddCallRules(WorkerCallRules(), &spec));
  Spare(weakenings, &spec);
  return CompileFilter(spec);
}

}  // namespace paddock
