#include "server/supervisor/host_ids.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/config/defaults.h"
#include "server/supervisor/user_namespace.h"

namespace paddock {
namespace {

using ::testing::HasSubstr;

constexpr char kWholeHost[] = "         0          0 4294967295\n";
constexpr char kRootless[] =
    "         0       1000          1\n         1     100000      65536\n";
constexpr char kAlone[] = "         0       1000          1\n";

config::v1::Config ConfigOf(int workers) {
  config::v1::Config config;
  config.mutable_sandbox()->set_host_id_base(kDefaultHostIdBase);
  config.mutable_workers()->set_count(workers);
  return config;
}

TEST(ShareOutIdsTest, TheHostGivesEachSlotRangesOfItsOwn) {
  const auto ids = ShareOutIds(ConfigOf(2), kWholeHost, kWholeHost);
  ASSERT_TRUE(ids.ok()) << ids.status();
  ASSERT_EQ(ids->size(), 2u);
  EXPECT_EQ((*ids)[0].first(), kDefaultHostIdBase);
  EXPECT_EQ((*ids)[0].per_sandbox(), 65536u);
  EXPECT_EQ((*ids)[0].first() + (*ids)[0].count(), (*ids)[1].first());
  EXPECT_LT((*ids)[1].init(), kDefaultHostIdBase);
  EXPECT_NE((*ids)[0].init(), (*ids)[1].init());
  EXPECT_FALSE((*ids)[0].nested());
}

TEST(ShareOutIdsTest, SubordinateIdsAreSharedOutFromTheirUpperHalf) {
  const auto ids = ShareOutIds(ConfigOf(3), kRootless, kRootless);
  ASSERT_TRUE(ids.ok()) << ids.status();
  uint32_t next = 1 + 65536 / 2;
  for (const auto& slot : *ids) EXPECT_EQ(slot.init(), next++);
  for (const auto& slot : *ids) {
    EXPECT_EQ(slot.first(), next);
    EXPECT_EQ(slot.per_sandbox(), 1u);
    EXPECT_TRUE(slot.nested());
    next += slot.count();
  }
  EXPECT_LE(next, 65537u);
  EXPECT_GT(next, 65537u - 3);
}

TEST(ShareOutIdsTest, OnlyWhatBothMapsHaveIsUsed) {
  const auto ids =
      ShareOutIds(ConfigOf(1), kRootless, "0 1000 1\n1 100000 1000\n");
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ((*ids)[0].init(), 501u);
  EXPECT_EQ((*ids)[0].first() + (*ids)[0].count() - 1, 1000u);
}

TEST(ShareOutIdsTest, TooFewIdsAreNone) {
  for (const char* map : {kAlone, "0 1000 1\n1 100000 128\n"}) {
    const auto ids = ShareOutIds(ConfigOf(1), map, map);
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ((*ids)[0].per_sandbox(), 0u) << map;
    EXPECT_EQ((*ids)[0].first(), 0u);
  }
  // Just enough: half of them, less one for init.
  const char enough[] = "0 1000 1\n1 100000 130\n";
  EXPECT_EQ((*ShareOutIds(ConfigOf(1), enough, enough))[0].count(), 64u);
}

TEST(ShareOutIdsTest, ABaseThatWasAskedForIsNotReplaced) {
  config::v1::Config config = ConfigOf(1);
  config.mutable_sandbox()->set_host_id_base(200000);
  EXPECT_EQ((*ShareOutIds(config, kWholeHost, kWholeHost))[0].first(), 200000u);
  const auto ids = ShareOutIds(config, kRootless, kRootless);
  EXPECT_THAT(std::string(ids.status().message()),
              HasSubstr("sandbox.host_id_base"));
}

TEST(HasIdTest, TheEndsOfARangeAreItsOwn) {
  const std::string map = "0 100000 1000\n2000 200000 1\n";
  for (const uint32_t id : {0, 999, 2000}) EXPECT_TRUE(HasId(map, id)) << id;
  for (const uint32_t id : {1000, 1999, 2001, 65534}) {
    EXPECT_FALSE(HasId(map, id)) << id;
  }
}

TEST(FindSubordinateIdsTest, TakesTheUsersLargestRange) {
  constexpr char kFile[] =
      "someone:100000:65536\nme:300000:10\n1000:400000:65536\nme:500000:20\n"
      "me:600000\nyou:1:99999999\n";
  EXPECT_EQ(FindSubordinateIds(kFile, "me", 1000).first, 400000);
  EXPECT_EQ(FindSubordinateIds(kFile, "me", 1).first, 500000);
  EXPECT_EQ(FindSubordinateIds(kFile, "me", 1).count, 20);
  EXPECT_EQ(FindSubordinateIds(kFile, "", 7).count, 0);
  EXPECT_EQ(FindSubordinateIds("", "me", 7).count, 0);
}

TEST(ShareOutIdsTest, NoProgramRunsAsRootOfTheHost) {
  for (const char* map : {"0 0 1\n", "0 0 128\n"}) {
    const auto ids = ShareOutIds(ConfigOf(1), map, map);
    ASSERT_FALSE(ids.ok()) << map;
    EXPECT_THAT(std::string(ids.status().message()),
                HasSubstr("have to run as root"));
  }
  const auto enough = ShareOutIds(ConfigOf(1), "0 0 130\n", "0 0 130\n");
  ASSERT_TRUE(enough.ok()) << enough.status();
  EXPECT_EQ((*enough)[0].per_sandbox(), 1u);
}

}  // namespace
}  // namespace paddock
