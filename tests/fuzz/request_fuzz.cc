// A client's request all the way to the program plan: what the server lets
// pass, the worker takes, and the plan made of it stands up to init's check.
// The other text that the server reads itself, page tokens, stands in argv
// here.
#include <climits>
#include <optional>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/api/error_status.h"
#include "server/api/job_check.h"
#include "server/api/page_token.h"
#include "server/jobs/process_defaults.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/message_mutator.h"
#include "tests/fuzz/run_spec_check.h"
#include "worker/convert.h"
#include "worker/init/plan_check.h"
#include "worker/sandbox/program_plan.h"

namespace paddock::fuzz {
namespace {

// The answer travels in response headers, of which clients take 8 KiB.
constexpr size_t kMostHeaderBytes = 8192 * 3 / 4;

void ExpectAnswer(const grpc::Status& status) {
  FUZZ_CHECK(!status.ok() && !status.error_message().empty());
  FUZZ_CHECK(status.error_message().size() + status.error_details().size() <
             kMostHeaderBytes);
  google::rpc::Status details;
  FUZZ_CHECK(details.ParseFromString(status.error_details()));
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest bad_request;
  FUZZ_CHECK(details.details_size() == 2 &&
             details.details(0).UnpackTo(&info) &&
             details.details(1).UnpackTo(&bad_request) &&
             bad_request.field_violations_size() > 0);
}

bool Passes(const JobCheck& check) {
  if (!check.violations.empty())
    ExpectAnswer(InvalidArgument(check.violations));
  if (!check.unimplemented.empty()) {
    ExpectAnswer(UnimplementedFields(check.unimplemented));
  }
  return check.ok();
}

void ExpectRunnable(const v1::Process& process) {
  const v1::Limits& max = HostConfig().requests().max_limits();
  absl::StatusOr<RunSpec> spec = ToRunSpec(process, max);
  FUZZ_CHECK(spec.ok());
  ExpectHarmless(*spec, max);
  absl::StatusOr<std::string> plan = EncodeProgramPlan(*spec);
  if (absl::IsFailedPrecondition(plan.status())) return;  // our own rlimits
  FUZZ_CHECK(plan.ok());
  static init::PlanStrings strings;
  FUZZ_CHECK(init::CheckPlan(plan->data(), plan->size(),
                             spec->stdin_data.has_value(), &strings));
  for (size_t i = 0; i < spec->argv.size(); ++i) {
    FUZZ_CHECK(spec->argv[i] == strings.argv[i]);
  }
  for (size_t i = 0; i < spec->env.size(); ++i) {
    FUZZ_CHECK(spec->env[i] == strings.env[i]);
  }
}

void ExpectPageOrNone(const std::string& token) {
  for (const int workers : {1, 2, 1000, INT_MAX}) {
    const std::optional<int> first = FirstOfPage(token, workers);
    if (!first) continue;
    FUZZ_CHECK(*first >= 0 && *first < workers);
    FUZZ_CHECK(token == (*first == 0 ? "" : PageToken(*first)));
  }
}

}  // namespace
}  // namespace paddock::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  paddock::v1::ExecuteRequest request;
  return paddock::fuzz::MutateMessage(data, size, max_size, seed, &request);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace paddock;
  v1::ExecuteRequest request;
  if (!request.ParseFromArray(data, size)) return 0;
  for (const std::string& argument : request.job().process().argv()) {
    fuzz::ExpectPageOrNone(argument);
  }
  const config::v1::Config& config = fuzz::HostConfig();
  if (!fuzz::Passes(CheckRequest(config, request))) return 0;
  v1::Process* process = request.mutable_job()->mutable_process();
  FUZZ_CHECK(CompleteProcess(config, process));
  if (!fuzz::Passes(CheckCompleteProcess(config, *process))) return 0;
  fuzz::ExpectRunnable(*process);
  return 0;
}
