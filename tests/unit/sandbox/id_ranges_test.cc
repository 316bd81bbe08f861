#include "worker/sandbox/id_ranges.h"

#include <gtest/gtest.h>

#include <set>

namespace paddock {
namespace {

constexpr uint32_t kBase = 0x10000000;
constexpr uint32_t kPerSandbox = 65536;

TEST(IdRangesTest, ARangeHoldsWhatASystemHas) {
  IdRanges ids(kBase, 8 * kPerSandbox, kPerSandbox);
  const SandboxIds first = ids.Take();
  EXPECT_EQ(first.program, kBase + 1000);
  EXPECT_EQ(first.map, "0 268435456 65536\n");
  EXPECT_EQ(ids.Take().program, kBase + kPerSandbox + 1000);
}

TEST(IdRangesTest, AnIdOfASmallRangeIsTheProgramsAlone) {
  IdRanges ids(7000, 8, 1);
  EXPECT_EQ(ids.Take().map, "1000 7000 1\n");
  const SandboxIds second = ids.Take();
  EXPECT_EQ(second.map, "1000 7001 1\n");
  EXPECT_EQ(second.program, 7001u);
}

TEST(IdRangesTest, WithoutIdsAllSandboxesShareTheDaemons) {
  IdRanges ids(0, 0, 0);
  for (int i = 0; i < 3; ++i) {
    const SandboxIds taken = ids.Take();
    EXPECT_EQ(taken.map, "1000 0 1\n");
    EXPECT_EQ(taken.program, 0u);
  }
}

TEST(IdRangesTest, ARangeComesBackOnlyWhenReleasedAndLast) {
  constexpr uint32_t kSandboxes = 1024;
  IdRanges ids(kBase, kSandboxes * kPerSandbox, kPerSandbox);
  const SandboxIds first = ids.Take();
  const SandboxIds kept = ids.Take();
  ids.Release(first);
  std::set<uint32_t> seen;
  for (uint32_t i = 2; i < kSandboxes; ++i) {
    const SandboxIds taken = ids.Take();
    EXPECT_NE(taken.first, first.first);
    EXPECT_NE(taken.first, kept.first);
    EXPECT_TRUE(seen.insert(taken.first).second);
    ids.Release(taken);
  }
  EXPECT_EQ(ids.Take().first, first.first);
  EXPECT_NE(ids.Take().first, kept.first);  // it still lives
}

}  // namespace
}  // namespace paddock
