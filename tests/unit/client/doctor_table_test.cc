#include "client/cli/doctor_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace paddock {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A server on which everything is enforced.
v1::GetServerInfoResponse GoodInfo() {
  v1::GetServerInfoResponse info;
  info.set_version("1.2.3");
  info.mutable_start_time()->set_seconds(1000);
  info.set_worker_count(3);
  info.add_images("host");
  info.add_images("gcc");
  info.set_default_image("host");
  info.add_profiles()->set_name("default");
  v1::Profile* ci = info.add_profiles();
  ci->set_name("ci");
  ci->add_weakenings(v1::WEAKENING_FULL_PROC);
  ci->add_weakenings(v1::WEAKENING_INOTIFY);
  ci->add_weakenings(static_cast<v1::Weakening>(77));
  info.mutable_default_limits()->mutable_cpu_time()->set_seconds(10);
  info.mutable_max_limits()->set_memory_bytes(1 << 30);
  info.mutable_max_limits()->set_cpus(2);
  for (int kind = v1::LIMIT_KIND_CPU_TIME; kind <= v1::LimitKind_MAX; ++kind) {
    v1::LimitEnforcement* limit = info.add_limits();
    limit->set_limit(static_cast<v1::LimitKind>(kind));
    limit->set_state(v1::ENFORCEMENT_STATE_ENFORCED);
    limit->set_mechanism("by a test");
  }
  v1::LayerEnforcement* layer = info.add_layers();
  layer->set_layer("seccomp");
  layer->set_state(v1::ENFORCEMENT_STATE_ENFORCED);
  layer->set_mechanism("filter");
  layer = info.add_layers();
  layer->set_layer("cpus");
  layer->set_state(v1::ENFORCEMENT_STATE_ENFORCED);
  layer->set_mechanism("quota");
  return info;
}

ServerReport Report(const v1::GetServerInfoResponse& info) {
  std::vector<v1::Worker> workers(2);
  workers[0].set_state(v1::WORKER_STATE_IDLE);
  workers[0].set_processes_run(5);
  workers[1].set_state(v1::WORKER_STATE_BUSY);
  workers[1].set_processes_run(6);
  return MakeServerReport("here:1", info, workers,
                          absl::FromUnixSeconds(1000 + 3661));
}

TEST(DoctorTableTest, ShowsWhatTheServerSays) {
  const ServerReport report = Report(GoodInfo());
  EXPECT_THAT(report.weak, IsEmpty());
  EXPECT_THAT(report.text, HasSubstr("here:1"));
  EXPECT_THAT(report.text, HasSubstr("1.2.3"));
  EXPECT_THAT(report.text, HasSubstr("1h1m1s"));
  EXPECT_THAT(report.text, HasSubstr("3: 1 idle, 1 busy, 1 starting; 11 "));
  EXPECT_THAT(report.text, HasSubstr("host (default), gcc"));
  EXPECT_THAT(report.text, HasSubstr("default, ci (full_proc, inotify, 77)"));
  EXPECT_THAT(report.text,
              ContainsRegex("\ncpu time  *10s  *-  *ENFORCED  by a test\n"));
  EXPECT_THAT(report.text,
              ContainsRegex("\nmemory  *-  *1.0 GiB  *ENFORCED  by a test\n"));
  EXPECT_THAT(report.text, ContainsRegex("\ncpus  *-  *2  *ENFORCED  quota\n"));
  EXPECT_THAT(report.text, ContainsRegex("\nseccomp  *ENFORCED  *filter\n"));
  EXPECT_THAT(report.text, HasSubstr("Every limit and layer is enforced."));
}

TEST(DoctorTableTest, NamesWhatIsNotEnforced) {
  v1::GetServerInfoResponse info = GoodInfo();
  info.mutable_limits(3)->set_state(v1::ENFORCEMENT_STATE_DEGRADED);
  v1::LayerEnforcement* layer = info.add_layers();
  layer->set_layer("landlock");
  layer->set_state(v1::ENFORCEMENT_STATE_NONE);
  const ServerReport report = Report(info);
  EXPECT_THAT(report.weak, ElementsAre("memory (DEGRADED)", "landlock (NONE)"));
  EXPECT_THAT(report.text,
              HasSubstr("Not fully enforced: memory (DEGRADED), landlock"));
}

TEST(DoctorTableTest, SilenceIsNoEnforcement) {
  v1::GetServerInfoResponse info = GoodInfo();
  info.mutable_limits()->DeleteSubrange(0, 1);
  info.clear_layers();
  EXPECT_THAT(Report(info).weak, ElementsAre("cpu time (NOT REPORTED)",
                                             "every layer (NOT REPORTED)"));
}

TEST(DoctorTableTest, KindsOfTheFutureAreShown) {
  v1::GetServerInfoResponse info = GoodInfo();
  v1::LimitEnforcement* limit = info.add_limits();
  limit->set_limit(static_cast<v1::LimitKind>(77));
  limit->set_state(static_cast<v1::EnforcementState>(9));
  EXPECT_THAT(Report(info).weak, ElementsAre("limit 77 (STATE 9)"));
}

TEST(DoctorTableTest, ColumnsAreAligned) {
  EXPECT_EQ(FormatTable({{"a", "bb", "c"}, {"aaa", "", "c"}, {"x"}}),
            "a    bb  c\naaa      c\nx\n");
}

}  // namespace
}  // namespace paddock
