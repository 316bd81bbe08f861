// Of what v1 and v2 may have each, what is enough.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/supervisor/cgroup_advice.h"

namespace paddock {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

absl::Status Check(const std::vector<std::string>& v1,
                   const std::vector<std::string>& unified,
                   const std::vector<std::string>& refusals = {}) {
  internal::v1::CgroupLayout layout;
  for (const std::string& controller : v1) {
    layout.add_v1()->set_controller(controller);
  }
  for (const std::string& controller : unified) {
    layout.add_unified_controllers(controller);
  }
  return CheckControllers(layout, refusals);
}

std::string Refusal(const std::vector<std::string>& v1,
                    const std::vector<std::string>& unified,
                    const std::vector<std::string>& refusals = {}) {
  const absl::Status status = Check(v1, unified, refusals);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  return std::string(status.message());
}

TEST(CheckControllersTest, BothOnOneAreEnough) {
  EXPECT_EQ(Check({}, {"memory", "pids"}), absl::OkStatus());
  EXPECT_EQ(Check({"memory", "pids", "cpuacct"}, {}), absl::OkStatus());
  EXPECT_EQ(Check({"memory", "pids", "cpuacct"}, {"cpu"}), absl::OkStatus());
  EXPECT_EQ(Check({"cpu"}, {"pids", "memory"}), absl::OkStatus());
}

TEST(CheckControllersTest, MissingOnesAreNamedWithBothFixes) {
  EXPECT_THAT(Refusal({}, {"pids"}), HasSubstr("the memory controller"));
  EXPECT_THAT(Refusal({}, {"memory"}), HasSubstr("the pids controller"));
  EXPECT_THAT(Refusal({"memory", "cpuacct"}, {}),
              AllOf(HasSubstr("the pids controller"),
                    HasSubstr("cgroup.subtree_control"),
                    HasSubstr("On v1 its hierarchy must be mounted")));
  EXPECT_THAT(Refusal({"pids", "cpuacct"}, {"cpu"}, {"mkdir: no", "and this"}),
              AllOf(HasSubstr("the memory controller"),
                    HasSubstr("Refused: mkdir: no; and this")));
}

TEST(CheckControllersTest, V1NeedsCpuacctWhichV2IsNeverWithout) {
  EXPECT_THAT(Refusal({"memory", "pids", "cpu"}, {}),
              AllOf(HasSubstr("the cpuacct controller"),
                    HasSubstr("On v1 its hierarchy must be mounted"),
                    Not(HasSubstr("subtree_control"))));
}

TEST(CheckControllersTest, OneOnEachIsNotCalledMissing) {
  EXPECT_THAT(Refusal({"memory", "cpuacct"}, {"pids"}),
              AllOf(HasSubstr("pids is on cgroup v2 here and memory on v1"),
                    HasSubstr("cgroup_no_v1=memory ")));
  EXPECT_THAT(Refusal({"pids", "cpuacct"}, {"memory", "cpu"}),
              AllOf(HasSubstr("memory is on cgroup v2 here and pids on v1"),
                    HasSubstr("cgroup_no_v1=pids ")));
}

}  // namespace
}  // namespace paddock
