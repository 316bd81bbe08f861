#include "worker/sandbox/id_ranges.h"

#include <gtest/gtest.h>

#include <set>

namespace paddock {
namespace {

constexpr uint32_t kBase = 0x10000000;

TEST(IdRangesTest, SlotsDoNotOverlap) {
  IdRanges first(kBase, 0);
  IdRanges second(kBase, 1);
  uint32_t highest = 0;
  for (uint32_t i = 0; i < kIdsPerSlot / kIdsPerSandbox; ++i) {
    highest = std::max(highest, first.Take());
  }
  EXPECT_EQ(highest + kIdsPerSandbox, second.Take());
}

TEST(IdRangesTest, ARangeComesBackOnlyWhenReleasedAndLast) {
  IdRanges ids(kBase, 3);
  const uint32_t first = ids.Take();
  const uint32_t kept = ids.Take();
  ids.Release(first);
  std::set<uint32_t> seen;
  for (uint32_t i = 2; i < kIdsPerSlot / kIdsPerSandbox; ++i) {
    const uint32_t id = ids.Take();
    EXPECT_NE(id, first);
    EXPECT_NE(id, kept);
    EXPECT_TRUE(seen.insert(id).second);
    ids.Release(id);
  }
  EXPECT_EQ(ids.Take(), first);
  EXPECT_NE(ids.Take(), kept);  // it still lives
}

TEST(IdRangesTest, InitIsOutsideOfEveryProgramsRange) {
  for (int slot : {0, 1, 59}) {
    IdRanges ids(kBase, slot);
    EXPECT_LT(ids.init_id(), kBase);
    EXPECT_GT(ids.init_id(), 0u);
  }
}

}  // namespace
}  // namespace paddock
