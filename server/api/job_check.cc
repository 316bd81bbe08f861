#include "server/api/job_check.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/config/profiles.h"
#include "server/jobs/duration.h"
#include "server/jobs/process_defaults.h"
#include "server/scheduling/memory_share.h"
#include "worker/base/utf8.h"
#include "worker/wire/first_by_key.h"

namespace paddock {
namespace {

using Violations = std::vector<FieldViolation>;

constexpr char kProcess[] = "job.process";
constexpr int kMaxLabels = 64;
constexpr size_t kMaxLabelKey = 63;
constexpr size_t kMaxLabelValue = 255;
constexpr size_t kMaxRequestId = 36;
constexpr absl::Duration kMaxTimeout = absl::Hours(24);

bool IsLabelKey(absl::string_view key) {
  return !key.empty() && key.size() <= kMaxLabelKey &&
         absl::ascii_isalnum(key[0]) &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return absl::ascii_isalnum(c) || absl::StrContains("._/-", c);
         });
}

bool IsLabelValue(absl::string_view value) {
  return value.size() <= kMaxLabelValue && !HasControls(value);
}

void CheckLabels(const StringMap& labels, Violations* violations) {
  if (labels.size() > kMaxLabels) {
    violations->push_back(
        {"job.labels", absl::StrCat("has ", labels.size(),
                                    " entries; the maximum is ", kMaxLabels)});
  }
  for (const StringMap::value_type* label : FirstByKey(labels, kMaxLabels)) {
    const auto& [key, value] = *label;
    const std::string field = absl::StrCat(
        "job.labels[\"", absl::CHexEscape(key.substr(0, kMaxLabelKey)), "\"]");
    if (!IsLabelKey(key)) {
      violations->push_back(
          {field,
           "a key has 1 to 63 characters of [A-Za-z0-9._/-], the first "
           "a letter or digit"});
    }
    if (!IsLabelValue(value)) {
      violations->push_back({field,
                             "a value has at most 255 bytes and no "
                             "control characters"});
    }
  }
}

void CheckTimeout(const char* field, const google::protobuf::Duration& timeout,
                  Violations* violations) {
  if (IsValid(timeout) && FromProto(timeout) > absl::ZeroDuration() &&
      FromProto(timeout) <= kMaxTimeout) {
    return;
  }
  violations->push_back({field, "must be over 0 and at most 24 h"});
}

void CheckRequestId(const std::string& id, Violations* violations) {
  if (id.size() <= kMaxRequestId &&
      std::all_of(id.begin(), id.end(), absl::ascii_isgraph)) {
    return;
  }
  violations->push_back(
      {"request_id", "has at most 36 printable ASCII characters, no space"});
}

// That what `process` names is there; `kind` is the field, for messages too.
void CheckIsThere(const char* kind, const std::string& name, bool is_there,
                  Violations* violations) {
  const std::string field = absl::StrCat(kProcess, ".", kind);
  const bool known_to_be_wrong =
      std::any_of(violations->begin(), violations->end(),
                  [&](const FieldViolation& v) { return v.field == field; });
  if (known_to_be_wrong || is_there) return;
  violations->push_back(
      {field, absl::StrCat("there is no ", kind, " \"", name,
                           "\"; GetServerInfo lists the ", kind, "s")});
}

// gRPC lets messages of somewhat more pass, so that they get this answer.
void CheckSize(int64_t max_bytes, const v1::ExecuteRequest& request,
               Violations* violations) {
  const size_t bytes = request.ByteSizeLong();
  if (bytes <= static_cast<size_t>(max_bytes)) return;
  violations->push_back(
      {"job",
       absl::StrCat("makes a message of ", bytes, " bytes; the maximum is ",
                    max_bytes, ", GetServerInfo's max_request_bytes")});
}

// A process that passes gets its memory when nothing else runs.
void CheckMemory(const config::v1::Config& config, const v1::Process& process,
                 Violations* violations) {
  const int64_t share = MemoryShare(process);
  const int64_t budget = config.requests().memory_budget_bytes();
  if (share <= budget) return;
  violations->push_back({absl::StrCat(kProcess, ".limits.memory_bytes"),
                         absl::StrCat("memory_bytes, workspace_bytes and ",
                                      kInputCopies, " times the inputs are ",
                                      share, " bytes together; the server has ",
                                      budget, " (memory_budget_bytes)")});
}

// Where the request is refused anyway: what else would be found once the
// process is complete, since the answer names all that is wrong.
void CheckMemoryToo(const config::v1::Config& config,
                    const v1::Process& process, Violations* violations) {
  const bool limits_are_wrong = std::any_of(
      violations->begin(), violations->end(), [](const FieldViolation& v) {
        return absl::StartsWith(v.field, absl::StrCat(kProcess, ".limits"));
      });
  if (violations->empty() || limits_are_wrong) return;
  v1::Process complete = process;
  if (CompleteProcess(config, &complete)) {
    CheckMemory(config, complete, violations);
  }
}

void CheckWhatToRun(const config::v1::Config& config, const v1::JobSpec& job,
                    JobCheck* check) {
  if (job.has_process() && job.steps_size() > 0) {
    check->violations.push_back(
        {"job.steps", "must be empty where job.process is set"});
  } else if (!job.has_process() && job.steps_size() == 0) {
    check->violations.push_back(
        {kProcess, "must be set; this server runs jobs of one process"});
  } else if (job.steps_size() > 0) {
    check->unimplemented.push_back({"job.steps"});
  }
  if (!job.has_process()) return;
  CheckProcess(kProcess, job.process(), config.requests().max_limits(),
               &check->violations, &check->unimplemented);
  const v1::Process& process = job.process();
  CheckIsThere("image", process.image(),
               FindImage(config, process.image()) != nullptr,
               &check->violations);
  CheckIsThere("profile", process.profile(),
               HasProfile(config, process.profile()), &check->violations);
  CheckMemoryToo(config, process, &check->violations);
}

}  // namespace

JobCheck CheckRequest(const config::v1::Config& config,
                      const v1::ExecuteRequest& request) {
  JobCheck check;
  CheckSize(config.requests().max_request_bytes(), request, &check.violations);
  CheckRequestId(request.request_id(), &check.violations);
  if (!request.has_job()) {
    check.violations.push_back({"job", "must be set"});
    return check;
  }
  const v1::JobSpec& job = request.job();
  CheckLabels(job.labels(), &check.violations);
  if (!v1::Priority_IsValid(job.priority())) {
    check.violations.push_back(
        {"job.priority", "is not a value of paddock.v1.Priority"});
  }
  if (job.has_queue_timeout()) {
    CheckTimeout("job.queue_timeout", job.queue_timeout(), &check.violations);
  }
  if (job.has_timeout()) {
    CheckTimeout("job.timeout", job.timeout(), &check.violations);
  }
  CheckWhatToRun(config, job, &check);
  return check;
}

JobCheck CheckCompleteProcess(const config::v1::Config& config,
                              const v1::Process& process) {
  JobCheck check;
  CheckProcess(kProcess, process, config.requests().max_limits(),
               &check.violations, &check.unimplemented);
  CheckMemory(config, process, &check.violations);
  return check;
}

}  // namespace paddock
