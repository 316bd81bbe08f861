#include "server/supervisor/oom_score.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/base/file_util.h"

namespace paddock {
namespace {

using testing::HasSubstr;

TEST(OomScore, IsFineWhereNoProgramCanBeSpared) {
  EXPECT_TRUE(CheckOomScore({.adjustment = 0}).ok());
  EXPECT_TRUE(CheckOomScore({.adjustment = 300}).ok());
  EXPECT_TRUE(CheckOomScore({.adjustment = -997}).ok());
}

TEST(OomScore, IsFineWhereWorkersCanGiveItUpForGood) {
  EXPECT_TRUE(
      CheckOomScore(
          {.adjustment = -1000, .can_be_lowest = true, .can_be_fixed = true})
          .ok());
}

TEST(OomScore, IsRefusedWhereAProgramCouldTakeItBack) {
  const absl::Status refused =
      CheckOomScore({.adjustment = 0, .can_be_lowest = true});
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(refused.message(), HasSubstr("oom_score_adj: "));
  EXPECT_THAT(refused.message(), HasSubstr("with 0 and may set it to -1000"));
  EXPECT_THAT(refused.message(), HasSubstr("OOMScoreAdjust=0"));
}

TEST(OomScore, LookingLeavesItAsItWas) {
  const auto before = ReadFileAt(AT_FDCWD, "/proc/self/oom_score_adj");
  ASSERT_TRUE(before.ok()) << before.status();
  OomScore score = {.adjustment = 1001};
  ASSERT_TRUE(LookAtOomScore(&score).ok());
  EXPECT_EQ(std::to_string(score.adjustment) + "\n", *before);
  EXPECT_EQ(*ReadFileAt(AT_FDCWD, "/proc/self/oom_score_adj"), *before);
}

}  // namespace
}  // namespace paddock
