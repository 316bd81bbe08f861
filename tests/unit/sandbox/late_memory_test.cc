#include "worker/sandbox/late_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "tests/support/unasked_cgroup.h"

namespace paddock {
namespace {

constexpr int64_t kMiB = 1 << 20;

// What a test lets a group hold, and what became of it.
struct Fate {
  int64_t held = 0;
  int64_t files = 0;  // charged, and not held
  int64_t names = 0;  // of `held`, what the kernel takes back if it is told to
  int reclaims = 0;
  bool removed = false;
};

class HoldingCgroup : public UnaskedCgroup {
 public:
  explicit HoldingCgroup(Fate* fate) : fate_(fate) {}
  int64_t MemoryInUse() override { return fate_->held + fate_->files; }
  int64_t MemoryHeld() override { return fate_->held; }
  void Reclaim(int64_t bytes) override {
    if (bytes == 1) return;  // what was charged ahead
    ++fate_->reclaims;
    const int64_t freed = std::min(bytes, fate_->names);
    fate_->names -= freed;
    fate_->held -= freed;
  }
  absl::Status Remove() override {
    fate_->removed = true;
    return absl::OkStatus();
  }

 private:
  Fate* fate_;
};

class LateMemoryTest : public testing::Test {
 protected:
  void Add(Fate* fate) {
    EXPECT_TRUE(late_.Add(std::make_unique<HoldingCgroup>(fate), now_).ok());
  }
  void LookAfter(absl::Duration time) {
    now_ += time;
    EXPECT_TRUE(late_.Look(now_).ok());
  }
  // Long enough for it to look at the groups again.
  void Look() { LookAfter(absl::Milliseconds(5)); }
  LateMemory late_;
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(LateMemoryTest, LittleIsNotWaitedFor) {
  Fate little = {.held = 1000};
  Fate files = {.held = 1000, .files = 100 * kMiB};
  Add(&little);
  Add(&files);
  EXPECT_TRUE(little.removed);
  EXPECT_TRUE(files.removed);
  EXPECT_TRUE(late_.empty());
  EXPECT_EQ(late_.bytes(), 0);
}

TEST_F(LateMemoryTest, MuchIsKnownUntilItIsFree) {
  Fate first = {.held = 3 * kMiB}, second = {.held = 4 * kMiB};
  Add(&first);
  Add(&second);
  EXPECT_EQ(late_.bytes(), 7 * kMiB);
  first.held = 2 * kMiB;
  Look();
  EXPECT_FALSE(first.removed);
  EXPECT_EQ(late_.bytes(), 6 * kMiB);
  first.held = 1000;
  Look();
  EXPECT_TRUE(first.removed);
  EXPECT_FALSE(second.removed);
  EXPECT_EQ(late_.size(), 1);
  EXPECT_EQ(late_.bytes(), 4 * kMiB);
}

TEST_F(LateMemoryTest, AMomentAgoIsSoonEnough) {
  Fate fate = {.held = 3 * kMiB};
  Add(&fate);
  Look();
  fate.held = 0;
  LookAfter(absl::Milliseconds(1));
  EXPECT_FALSE(fate.removed);
  LookAfter(absl::Milliseconds(1));
  EXPECT_TRUE(fate.removed);
}

TEST_F(LateMemoryTest, WhatDoesNotComeBackIsNotWaitedForLong) {
  Fate kept = {.held = 3 * kMiB}, freed = {.held = 30 * kMiB};
  Add(&kept);
  Add(&freed);
  for (int i = 0; i < 50; ++i) {
    freed.held -= kMiB / 8;
    LookAfter(absl::Milliseconds(100));
  }
  EXPECT_FALSE(kept.removed);
  Look();
  EXPECT_TRUE(kept.removed);
  EXPECT_FALSE(freed.removed);
  EXPECT_EQ(late_.bytes(), freed.held);
}

TEST_F(LateMemoryTest, WhatTheKernelOnlyKeepsIsTakenBackByAndBy) {
  Fate names = {.held = 10 * kMiB, .names = 10 * kMiB};
  Fate sockets = {.held = 10 * kMiB};
  Add(&names);
  Add(&sockets);
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(names.removed);
    late_.Reclaim(now_);
    Look();
  }
  EXPECT_TRUE(names.removed);
  EXPECT_FALSE(sockets.removed);
  EXPECT_EQ(sockets.reclaims, 1) << "in vain, so not again for a while";
  now_ += absl::Milliseconds(100);
  late_.Reclaim(now_);
  EXPECT_EQ(sockets.reclaims, 2);
}

TEST_F(LateMemoryTest, AtTheEndAllGroupsGo) {
  Fate fate = {.held = 3 * kMiB};
  Add(&fate);
  EXPECT_TRUE(late_.RemoveAll().ok());
  EXPECT_TRUE(fate.removed);
  EXPECT_TRUE(late_.empty());
  EXPECT_EQ(late_.bytes(), 0);
}

}  // namespace
}  // namespace paddock
