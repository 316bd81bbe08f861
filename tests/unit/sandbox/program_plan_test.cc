#include "worker/sandbox/program_plan.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>

#include "worker/init/plan.h"

namespace paddock {
namespace {

RunSpec Spec() {
  RunSpec spec;
  spec.argv = {"program", "", "two words"};
  spec.env = {"A=1"};
  spec.path = "/bin:/usr/bin";
  spec.working_directory = "/work";
  spec.limits.cpu_time = absl::Milliseconds(1500);
  spec.limits.open_files = 16;
  spec.limits.file_size_bytes = 4096;
  spec.limits.stack_bytes = 1 << 20;
  return spec;
}

init::ProgramPlan HeaderOf(const std::string& packet) {
  init::ProgramPlan plan;
  memcpy(&plan, packet.data(), sizeof(plan));
  return plan;
}

TEST(ProgramPlanTest, StringsStandWhereTheHeaderSays) {
  const absl::StatusOr<std::string> packet = EncodeProgramPlan(Spec());
  ASSERT_TRUE(packet.ok()) << packet.status();
  const init::ProgramPlan plan = HeaderOf(*packet);
  EXPECT_EQ(plan.size, packet->size());
  EXPECT_EQ(packet->back(), '\0');
  EXPECT_EQ(plan.argc, 3u);
  EXPECT_EQ(
      0, memcmp(packet->data() + plan.argv_offset, "program\0\0two words", 19));
  EXPECT_STREQ(packet->data() + plan.env_offset, "A=1");
  EXPECT_STREQ(packet->data() + plan.directory_offset, "/work");
  EXPECT_STREQ(packet->data() + plan.path_offset, "/bin:/usr/bin");
}

TEST(ProgramPlanTest, LimitsOfTheRequestAreExact) {
  const absl::StatusOr<std::string> packet = EncodeProgramPlan(Spec());
  ASSERT_TRUE(packet.ok());
  const init::ProgramPlan plan = HeaderOf(*packet);
  bool files = false;
  for (uint32_t i = 0; i < plan.rlimit_count; ++i) {
    const init::PlanRlimit& limit = plan.rlimits[i];
    if (limit.resource == RLIMIT_NOFILE) {
      files = limit.soft == 16 && limit.hard == 16;
    }
    // Set before the filter, which keeps it.
    EXPECT_NE(limit.resource, static_cast<uint32_t>(RLIMIT_CORE));
  }
  EXPECT_TRUE(files);
}

// So that the pids cgroup, which tells of it, is always first to refuse.
TEST(ProgramPlanTest, ProcessesOfTheUserAreTwiceThoseOfTheGroup) {
  RunSpec spec = Spec();
  spec.limits.processes = 64;
  rlimit own;
  ASSERT_EQ(0, getrlimit(RLIMIT_NPROC, &own));
  ASSERT_GT(own.rlim_max, 128u);
  const absl::StatusOr<std::string> packet = EncodeProgramPlan(spec);
  ASSERT_TRUE(packet.ok());
  const init::ProgramPlan plan = HeaderOf(*packet);
  bool found = false;
  for (uint32_t i = 0; i < plan.rlimit_count; ++i) {
    const init::PlanRlimit& limit = plan.rlimits[i];
    if (limit.resource != RLIMIT_NPROC) continue;
    found = limit.soft == 128 && limit.hard == 128;
  }
  EXPECT_TRUE(found);
}

TEST(ProgramPlanTest, LimitAboveOurOwnIsRefusedByName) {
  rlimit own;
  ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &own));
  if (own.rlim_max > INT32_MAX) {  // nothing an int32 could exceed: lower it
    own.rlim_max = 100000;
    own.rlim_cur = std::min(own.rlim_cur, own.rlim_max);
    ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &own));
  }
  RunSpec spec = Spec();
  spec.limits.open_files = static_cast<int32_t>(own.rlim_max);
  EXPECT_TRUE(EncodeProgramPlan(spec).ok());
  spec.limits.open_files = static_cast<int32_t>(own.rlim_max) + 1;
  const absl::Status status = EncodeProgramPlan(spec).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_NE(status.message().find("limits.open_files"), std::string::npos);
}

TEST(ProgramPlanTest, TooManyOrTooLongStringsAreRefused) {
  RunSpec spec = Spec();
  spec.env.assign(init::kMaxPlanStrings, "A=1");
  EXPECT_TRUE(EncodeProgramPlan(spec).ok());
  spec.env.emplace_back("A=1");
  EXPECT_TRUE(absl::IsResourceExhausted(EncodeProgramPlan(spec).status()));
  spec = Spec();
  spec.argv.emplace_back(init::kMaxPlanPacket, 'x');
  EXPECT_TRUE(absl::IsResourceExhausted(EncodeProgramPlan(spec).status()));
}

}  // namespace
}  // namespace paddock
