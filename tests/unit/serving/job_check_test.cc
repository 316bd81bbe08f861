#include "server/api/job_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/jobs/process_defaults.h"
#include "worker/wire/process_check.h"

namespace paddock {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

constexpr int kMaxRequestBytes = 1 << 20;

config::v1::Config MakeConfig() {
  config::v1::Config config;
  config.mutable_sandbox()->set_default_image("host");
  config.mutable_sandbox()->add_images()->set_name("host");
  config.mutable_sandbox()->add_profiles()->set_name("ci");
  config.mutable_requests()->mutable_max_limits()->set_processes(100);
  config.mutable_requests()->set_max_request_bytes(kMaxRequestBytes);
  return config;
}

// A process without limits has a share of 0 bytes, and the budget is 0.
v1::ExecuteRequest MakeRequest() {
  v1::ExecuteRequest request;
  request.mutable_job()->mutable_process()->add_argv("/bin/true");
  return request;
}

std::vector<std::string> WrongFields(const v1::ExecuteRequest& request) {
  std::vector<std::string> fields;
  for (const auto& violation : CheckRequest(MakeConfig(), request).violations) {
    EXPECT_FALSE(violation.description.empty());
    fields.push_back(violation.field);
  }
  return fields;
}

TEST(JobCheckTest, AGoodRequestIsGood) {
  v1::ExecuteRequest request = MakeRequest();
  request.set_request_id("0b6a3a6e-0f36-4c11-9a55-2b3c1a3f0c11");
  v1::JobSpec* job = request.mutable_job();
  (*job->mutable_labels())["team/a.b-c_d"] = "gr\xC3\xBC\xC3\x9F";
  job->set_priority(v1::PRIORITY_HIGH);
  job->mutable_timeout()->set_seconds(86400);
  job->mutable_queue_timeout()->set_nanos(1);
  job->mutable_process()->set_image("host");
  EXPECT_TRUE(CheckRequest(MakeConfig(), request).ok());
}

TEST(JobCheckTest, SizeAtBothSidesOfItsBound) {
  v1::ExecuteRequest request = MakeRequest();
  auto* added = request.mutable_job()->mutable_process()->add_inputs();
  added->set_path("input");
  std::string* input = added->mutable_source()->mutable_data();
  input->resize(kMaxRequestBytes);
  input->resize(2 * kMaxRequestBytes - request.ByteSizeLong());
  EXPECT_THAT(WrongFields(request), IsEmpty());
  input->push_back('x');
  // The budget is 0, and inputs take memory: named too, as all is.
  EXPECT_THAT(WrongFields(request),
              ElementsAre("job", "job.process.limits.memory_bytes"));
}

TEST(JobCheckTest, ProcessOrStepsButNotBoth) {
  v1::ExecuteRequest request;
  EXPECT_THAT(WrongFields(request), ElementsAre("job"));
  request.mutable_job();
  EXPECT_THAT(WrongFields(request), ElementsAre("job.process"));
  request.mutable_job()->add_steps();
  const JobCheck steps = CheckRequest(MakeConfig(), request);
  EXPECT_THAT(steps.violations, IsEmpty());
  ASSERT_EQ(steps.unimplemented.size(), 1);
  EXPECT_EQ(steps.unimplemented[0].field, "job.steps");
  request.mutable_job()->mutable_process()->add_argv("/bin/true");
  EXPECT_THAT(WrongFields(request), ElementsAre("job.steps"));
}

TEST(JobCheckTest, RequestId) {
  v1::ExecuteRequest request = MakeRequest();
  request.set_request_id(std::string(36, '~'));
  EXPECT_THAT(WrongFields(request), IsEmpty());
  for (const std::string& bad :
       {std::string(37, 'x'), std::string("a b"), std::string("\n"),
        std::string("\x7F"), std::string("\xC3\xBC")}) {
    request.set_request_id(bad);
    EXPECT_THAT(WrongFields(request), ElementsAre("request_id")) << bad;
  }
}

TEST(JobCheckTest, LabelsAtBothSidesOfTheirBounds) {
  v1::ExecuteRequest request = MakeRequest();
  auto& labels = *request.mutable_job()->mutable_labels();
  labels[std::string(63, 'k')] = std::string(255, 'v');
  labels["empty"] = "";
  EXPECT_THAT(WrongFields(request), IsEmpty());
  for (const std::string& bad : {std::string(), std::string(64, 'k'),
                                 std::string("-a"), std::string("a b")}) {
    labels.clear();
    labels[bad] = "v";
    EXPECT_EQ(WrongFields(request).size(), 1) << bad;
  }
  for (const std::string& bad : {std::string(256, 'v'), std::string("\n"),
                                 std::string("\xC2\x9B"
                                             "2J")}) {
    labels.clear();
    labels["key"] = bad;
    EXPECT_THAT(WrongFields(request), ElementsAre("job.labels[\"key\"]"));
  }
  labels.clear();
  for (int i = 0; i < 64; ++i) labels[std::to_string(i)] = "";
  EXPECT_THAT(WrongFields(request), IsEmpty());
  labels["one more"] = "";
  EXPECT_THAT(WrongFields(request), ElementsAre("job.labels"));
  labels[""] = "";     // the first of them
  labels["z"] = "\n";  // the last, which is not looked at
  EXPECT_THAT(WrongFields(request),
              ElementsAre("job.labels", "job.labels[\"\"]"));
}

TEST(JobCheckTest, TheImagesOwnVariablesCount) {
  v1::ExecuteRequest request = MakeRequest();
  v1::Process* process = request.mutable_job()->mutable_process();
  while (process->env_size() < kMaxEnvironment) {
    (*process->mutable_env())["V" + std::to_string(process->env_size())] = "";
  }
  EXPECT_THAT(WrongFields(request), IsEmpty());
  config::v1::Config config = MakeConfig();
  (*config.mutable_sandbox()->mutable_images(0)->mutable_env())["PATH"] = "/";
  ASSERT_TRUE(CompleteProcess(config, process));
  EXPECT_THAT(CheckCompleteProcess(config, *process).violations,
              ElementsAre(Field(&FieldViolation::field, "job.process.env")));
  process->mutable_env()->erase("V0");
  EXPECT_THAT(CheckCompleteProcess(config, *process).violations, IsEmpty());
}

TEST(JobCheckTest, TimesAtBothSidesOfTheirBounds) {
  struct Case {
    int64_t seconds;
    int32_t nanos;
  };
  for (const Case& bad :
       {Case{0, 0}, Case{-1, 0}, Case{0, -1}, Case{86400, 1},
        Case{int64_t{1} << 60, 0}, Case{1, 2'000'000'000}, Case{1, -1}}) {
    v1::ExecuteRequest request = MakeRequest();
    for (auto* duration : {request.mutable_job()->mutable_timeout(),
                           request.mutable_job()->mutable_queue_timeout()}) {
      duration->set_seconds(bad.seconds);
      duration->set_nanos(bad.nanos);
    }
    EXPECT_THAT(WrongFields(request),
                ElementsAre("job.queue_timeout", "job.timeout"))
        << bad.seconds << " " << bad.nanos;
  }
}

TEST(JobCheckTest, EverythingThatIsWrongComesAtOnce) {
  v1::ExecuteRequest request = MakeRequest();
  request.set_request_id("\n");
  request.mutable_job()->set_priority(static_cast<v1::Priority>(77));
  v1::Process* process = request.mutable_job()->mutable_process();
  process->clear_argv();
  process->set_image("no-such-image");
  process->mutable_limits()->set_processes(101);
  EXPECT_THAT(WrongFields(request),
              testing::UnorderedElementsAre(
                  "request_id", "job.priority", "job.process.argv",
                  "job.process.image", "job.process.limits.processes"));
}

TEST(JobCheckTest, MemoryThatCanNeverBeHadComesWithTheRest) {
  v1::ExecuteRequest request = MakeRequest();
  v1::Process* process = request.mutable_job()->mutable_process();
  process->mutable_limits()->set_workspace_bytes(1);
  EXPECT_THAT(WrongFields(request), IsEmpty());  // that is the second check's
  process->clear_argv();
  EXPECT_THAT(
      WrongFields(request),
      ElementsAre("job.process.argv", "job.process.limits.memory_bytes"));
  // Limits that are wrong themselves have no sum.
  process->mutable_limits()->set_memory_bytes(-1);
  EXPECT_THAT(
      WrongFields(request),
      ElementsAre("job.process.argv", "job.process.limits.memory_bytes"));
  process->mutable_limits()->set_processes(101);
  EXPECT_THAT(WrongFields(request),
              testing::UnorderedElementsAre("job.process.argv",
                                            "job.process.limits.memory_bytes",
                                            "job.process.limits.processes"));
}

TEST(JobCheckTest, OnlyProfilesThatTheOperatorEnabled) {
  v1::ExecuteRequest request = MakeRequest();
  std::string* profile =
      request.mutable_job()->mutable_process()->mutable_profile();
  for (const char* good : {"", "default", "ci"}) {
    *profile = good;
    EXPECT_THAT(WrongFields(request), IsEmpty()) << good;
  }
  for (const char* bad : {"debug", "CI", "ci/", "../ci"}) {
    *profile = bad;
    EXPECT_THAT(WrongFields(request), ElementsAre("job.process.profile"));
  }
}

TEST(JobCheckTest, AnImageOfNoFormIsNamedOnce) {
  v1::ExecuteRequest request = MakeRequest();
  request.mutable_job()->mutable_process()->set_image("../etc");
  EXPECT_THAT(WrongFields(request), ElementsAre("job.process.image"));
}

TEST(JobCheckTest, AProcessThatCanNeverHaveItsMemoryIsRefused) {
  config::v1::Config config = MakeConfig();
  v1::Process process = MakeRequest().job().process();
  process.mutable_limits()->set_memory_bytes(900 + (1 << 20));
  process.mutable_limits()->set_workspace_bytes(80);
  process.mutable_stdin()->set_data("12345");
  config.mutable_requests()->set_memory_budget_bytes(1000 + (1 << 20));
  EXPECT_TRUE(CheckCompleteProcess(config, process).ok());
  process.mutable_limits()->set_workspace_bytes(81);
  const JobCheck check = CheckCompleteProcess(config, process);
  ASSERT_EQ(check.violations.size(), 1);
  EXPECT_EQ(check.violations[0].field, "job.process.limits.memory_bytes");
  EXPECT_EQ(check.violations[0].description,
            "memory_bytes, workspace_bytes and 4 times the inputs are 1049577 "
            "bytes together; the server has 1049576 (memory_budget_bytes)");
}

}  // namespace
}  // namespace paddock
