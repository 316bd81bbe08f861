#include "worker/init/plan_check.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <string>

#include "worker/sandbox/program_plan.h"

namespace paddock::init {
namespace {

class PlanCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    RunSpec spec;
    spec.argv = {"program", "", "two words"};
    spec.env = {"A=1", "B=2"};
    spec.working_directory = "/work";
    spec.path = "/bin";
    spec.limits.open_files = 16;
    absl::StatusOr<std::string> packet = EncodeProgramPlan(spec);
    ASSERT_TRUE(packet.ok()) << packet.status();
    packet_ = *packet;
  }

  bool Check(std::string packet, bool has_stdin = false) {
    // At its own address, and as long as it is, for AddressSanitizer's sake.
    held_.reset(new char[packet.size()]);
    memcpy(held_.get(), packet.data(), packet.size());
    errno = 0;
    const bool good =
        CheckPlan(held_.get(), packet.size(), has_stdin, &strings_);
    EXPECT_EQ(errno, EPROTO) << "set ahead, for the one that reports";
    return good;
  }

  bool CheckChanged(const std::function<void(ProgramPlan*)>& change) {
    std::string packet = packet_;
    ProgramPlan plan;
    memcpy(&plan, packet.data(), sizeof(plan));
    change(&plan);
    memcpy(packet.data(), &plan, sizeof(plan));
    return Check(packet);
  }

  std::string packet_;
  std::unique_ptr<char[]> held_;
  PlanStrings strings_;
};

TEST_F(PlanCheckTest, StringsAreFound) {
  ASSERT_TRUE(Check(packet_));
  EXPECT_STREQ(strings_.argv[0], "program");
  EXPECT_STREQ(strings_.argv[1], "");
  EXPECT_STREQ(strings_.argv[2], "two words");
  EXPECT_EQ(strings_.argv[3], nullptr);
  EXPECT_STREQ(strings_.env[1], "B=2");
  EXPECT_EQ(strings_.env[2], nullptr);
}

TEST_F(PlanCheckTest, PacketMustBeWhole) {
  EXPECT_FALSE(Check(packet_ + std::string(1, '\0')));
  EXPECT_FALSE(Check(packet_.substr(0, packet_.size() - 1)));
  EXPECT_FALSE(Check(packet_.substr(0, sizeof(ProgramPlan))));
  EXPECT_FALSE(Check(packet_.substr(0, 3)));
  std::string unended = packet_;
  unended.back() = 'x';
  EXPECT_FALSE(Check(unended));
}

TEST_F(PlanCheckTest, DescriptorMustComeIfAndOnlyIfThePlanSaysSo) {
  EXPECT_FALSE(Check(packet_, /*has_stdin=*/true));
  EXPECT_FALSE(CheckChanged([](ProgramPlan* p) { p->flags |= kHasStdin; }));
}

TEST_F(PlanCheckTest, OffsetsOutsideTheStrings) {
  const uint32_t size = packet_.size();
  for (const uint32_t offset :
       {uint32_t{0}, uint32_t{sizeof(ProgramPlan)} - 1, size, UINT32_MAX}) {
    EXPECT_FALSE(CheckChanged([&](auto* p) { p->argv_offset = offset; }));
    EXPECT_FALSE(CheckChanged([&](auto* p) { p->env_offset = offset; }));
    EXPECT_FALSE(CheckChanged([&](auto* p) { p->directory_offset = offset; }));
    EXPECT_FALSE(CheckChanged([&](auto* p) { p->path_offset = offset; }));
  }
  // The last byte is an empty string of its own.
  EXPECT_TRUE(CheckChanged([&](auto* p) { p->path_offset = size - 1; }));
}

TEST_F(PlanCheckTest, CountsBeyondWhatIsThere) {
  EXPECT_FALSE(CheckChanged([](ProgramPlan* p) { p->magic ^= 1; }));
  EXPECT_FALSE(CheckChanged([](ProgramPlan* p) { p->argc = 0; }));
  EXPECT_FALSE(CheckChanged([](ProgramPlan* p) { p->argc = 100; }));
  EXPECT_FALSE(CheckChanged([](ProgramPlan* p) { p->argc = UINT32_MAX; }));
  EXPECT_FALSE(CheckChanged([](ProgramPlan* p) { p->envc = UINT32_MAX; }));
  EXPECT_FALSE(
      CheckChanged([](ProgramPlan* p) { p->envc = kMaxPlanStrings + 1; }));
  EXPECT_FALSE(
      CheckChanged([](ProgramPlan* p) { p->rlimit_count = kMaxRlimits + 1; }));
  EXPECT_TRUE(CheckChanged([](ProgramPlan* p) { p->argc = 2; }));
  EXPECT_TRUE(CheckChanged([](ProgramPlan* p) { p->envc = 0; }));
}

}  // namespace
}  // namespace paddock::init
