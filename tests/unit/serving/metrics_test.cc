#include "server/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "prometheus/text_serializer.h"
#include "server/observers.h"
#include "server/telemetry/process_gauges.h"
#include "server/telemetry/rpc_metrics.h"

namespace paddock {
namespace {

using testing::HasSubstr;
using testing::Not;

class MetricsTest : public testing::Test {
 protected:
  std::string Text() const {
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }
  prometheus::Registry registry_;
  static config::v1::Config TwoProfiles() {
    config::v1::Config config;
    config.mutable_sandbox()->add_profiles()->set_name("default");
    config.mutable_sandbox()->add_profiles()->set_name("ci");
    return config;
  }
  Metrics metrics_{&registry_, ServerObserver::LabelSets(TwoProfiles())};
};

TEST_F(MetricsTest, ClosedSetsAreThereFromTheStart) {
  metrics_.DeclareSetupSteps({"pivot_root"});
  const std::string text = Text();
  for (const char* line :
       {"paddock_processes_total{outcome=\"succeeded\"} 0\n",
        "paddock_processes_total{outcome=\"infrastructure_error\"} 0\n",
        "paddock_profile_runs_total{profile=\"default\"} 0\n",
        "paddock_profile_runs_total{profile=\"ci\"} 0\n",
        "paddock_jobs_started_total{source=\"execute\"} 0\n",
        "paddock_jobs_rejected_total{reason=\"queue_full\"} 0\n",
        "paddock_worker_restarts_total{reason=\"died\"} 0\n",
        "paddock_limit_hits_total{limit=\"cpu_time\"} 0\n",
        "paddock_sandbox_setup_failures_total{step=\"pivot_root\"} 0\n",
        "paddock_phase_seconds_count{phase=\"queue\"} 0\n",
        "paddock_phase_seconds_count{phase=\"teardown\"} 0\n",
        "paddock_oom_kills_total 0\n", "paddock_draining 0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, Not(HasSubstr("unspecified")));
}

TEST_F(MetricsTest, AProcessIsCountedInEveryPlace) {
  v1::ProcessResult result;
  result.set_outcome(v1::OUTCOME_MEMORY_LIMIT_EXCEEDED);
  result.add_limits_hit(v1::LIMIT_KIND_MEMORY);
  result.add_limits_hit(v1::LIMIT_KIND_OUTPUT);
  result.mutable_usage()->set_oom_kills(2);
  result.mutable_usage()->mutable_cpu_time()->set_nanos(20'000'000);
  result.mutable_usage()->set_peak_memory_bytes(3 << 20);
  result.mutable_stdout()->set_written_bytes(100);
  result.mutable_phases()->mutable_run()->set_seconds(1);
  result.mutable_violation();
  metrics_.ProcessFinished(result, "ci");
  const std::string text = Text();
  for (const char* line :
       {"paddock_processes_total{outcome=\"memory_limit_exceeded\"} 1\n",
        "paddock_profile_runs_total{profile=\"ci\"} 1\n",
        "paddock_profile_runs_total{profile=\"default\"} 0\n",
        "paddock_limit_hits_total{limit=\"memory\"} 1\n",
        "paddock_limit_hits_total{limit=\"output\"} 1\n",
        "paddock_oom_kills_total 2\n", "paddock_policy_violations_total 1\n",
        "paddock_process_cpu_seconds_bucket{le=\"0.01\"} 0\n",
        "paddock_process_cpu_seconds_bucket{le=\"0.025\"} 1\n",
        "paddock_process_memory_peak_bytes_sum 3145728\n",
        "paddock_process_output_bytes_sum 100\n",
        "paddock_phase_seconds_sum{phase=\"run\"} 1\n",
        "paddock_phase_seconds_count{phase=\"prepare\"} 0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST_F(MetricsTest, SetupFailuresAreCountedByStep) {
  metrics_.DeclareSetupSteps({"pivot_root", "mount_proc"});
  metrics_.SetupFailed("pivot_root", 2);
  for (const char* line :
       {"paddock_sandbox_setup_failures_total{step=\"pivot_root\"} 2\n",
        "paddock_sandbox_setup_failures_total{step=\"mount_proc\"} 0\n"}) {
    EXPECT_THAT(Text(), HasSubstr(line));
  }
}

TEST_F(MetricsTest, NamesThatNobodyDeclaredShareOneSeries) {
  metrics_.SetupFailed("made up", 2);
  metrics_.SetupFailed("also made up", 1);
  EXPECT_THAT(Text(), HasSubstr("paddock_sandbox_setup_failures_total"
                                "{step=\"unknown\"} 3\n"));
}

TEST_F(MetricsTest, WorkersCannotMakeSeriesWithoutEnd) {
  constexpr int kMost = 64;
  for (int i = 0; i < 10 * kMost; ++i) {
    metrics_.DeclareSetupSteps({"step_" + std::to_string(i)});
  }
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("{step=\"step_0\"}"));
  EXPECT_THAT(text, HasSubstr("{step=\"step_63\"}"));
  EXPECT_THAT(text, Not(HasSubstr("{step=\"step_64\"}")));
}

TEST_F(MetricsTest, RpcsAreCountedByCode) {
  RpcMetrics rpcs(&registry_, {{"a.B", "C", "unary"}});
  rpcs.Started("/a.B/C");
  rpcs.Handled("/a.B/C", 3, absl::Milliseconds(2));
  rpcs.Started("/no/Such");
  const std::string text = Text();
  EXPECT_THAT(text, HasSubstr("paddock_grpc_server_handled_total{grpc_code="
                              "\"InvalidArgument\",grpc_method=\"C\","
                              "grpc_service=\"a.B\",grpc_type=\"unary\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("grpc_code=\"OK\",grpc_method=\"C\","
                              "grpc_service=\"a.B\",grpc_type=\"unary\"} 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("Such")));
}

// As the pool's thread, those of gRPC and that of HTTP do at once.
TEST_F(MetricsTest, SeveralThreads) {
  constexpr int kRuns = 200;
  RpcMetrics rpcs(&registry_, {{"a.B", "C", "unary"}});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      v1::ProcessResult result;
      result.set_outcome(v1::OUTCOME_SUCCEEDED);
      for (int run = 0; run < kRuns; ++run) {
        metrics_.JobStarted("execute");
        metrics_.ProcessFinished(result, "ci");
        rpcs.Started("/a.B/C");
        rpcs.Handled("/a.B/C", 0, absl::Milliseconds(2));
        if (run % 50 == 0) {
          EXPECT_NE(Text(), "");
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = Text();
  EXPECT_THAT(
      text, HasSubstr("paddock_jobs_started_total{source=\"execute\"} 800\n"));
  EXPECT_THAT(text,
              HasSubstr("paddock_profile_runs_total{profile=\"ci\"} 800\n"));
}

TEST(ProcessGaugesTest, TellOfThisProcess) {
  const std::string text =
      prometheus::TextSerializer().Serialize(ProcessGaugeCollector().Collect());
  for (const char* name :
       {"process_cpu_seconds_total ", "process_resident_memory_bytes ",
        "process_start_time_seconds ", "process_open_fds ",
        "process_max_fds "}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + name));
  }
}

}  // namespace
}  // namespace paddock
