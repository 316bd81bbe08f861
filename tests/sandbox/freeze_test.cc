// A program that stands still, in a group of the kernel's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/supervisor/cgroup_layout.h"
#include "tests/support/own_cgroup.h"
#include "tests/support/skip.h"
#include "worker/base/file_util.h"
#include "worker/sandbox/cgroup_files.h"

namespace paddock {
namespace {

constexpr absl::Duration kSoon = absl::Seconds(20);

// A group below the test's own, with one process that takes a CPU.
class FreezeTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT("root", geteuid() == 0);
    ASSERT_TRUE(EnterOwnCgroup().ok());
    const auto hierarchies = FindOwnCgroupHierarchies("");
    ASSERT_TRUE(hierarchies.ok()) << hierarchies.status();
    const std::string& own = (*hierarchies)[0].own_directory;
    ASSERT_FALSE(own.empty());
    auto parent = OpenAt(AT_FDCWD, own, O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(parent.ok()) << parent.status();
    parent_ = *std::move(parent);
    auto group = KillGroup::Make(parent_.get(),
                                 absl::StrCat("paddock-freeze-", getpid()), {});
    ASSERT_TRUE(group.ok()) << group.status();
    group_ = *std::move(group);
    burner_ = fork();
    if (burner_ == 0) {
      if (!group_->directory().Write("cgroup.procs", "0").ok()) _exit(1);
      for (;;) {
      }
    }
    ASSERT_GT(burner_, 0);
  }

  void TearDown() override {
    if (!group_) return;
    if (burner_ > 0) {
      kill(burner_, SIGKILL);
      waitpid(burner_, nullptr, 0);
    }
    EXPECT_TRUE(group_->Remove().ok());
  }

  bool IsFrozen() {
    const auto frozen = group_->directory().ReadKey("cgroup.events", "frozen");
    EXPECT_TRUE(frozen.has_value());
    return frozen == 1;
  }

  // Microseconds of CPU time. Without a controller too: cgroup-v2.rst.
  int64_t Usage() {
    const auto usage = group_->directory().ReadKey("cpu.stat", "usage_usec");
    EXPECT_TRUE(usage.has_value());
    return usage.value_or(-1);
  }

  bool Burns() {
    const int64_t before = Usage();
    const absl::Time give_up = absl::Now() + kSoon;
    while (absl::Now() < give_up) {
      if (Usage() > before) return true;
      absl::SleepFor(absl::Milliseconds(10));
    }
    return false;
  }

  UniqueFd parent_;
  std::optional<KillGroup> group_;
  pid_t burner_ = -1;
};

TEST_F(FreezeTest, NothingRunsUntilItIsThawed) {
  EXPECT_FALSE(IsFrozen());
  EXPECT_TRUE(Burns());
  ASSERT_EQ(group_->Freeze(kSoon), absl::OkStatus());
  EXPECT_TRUE(IsFrozen());
  const int64_t frozen = Usage();
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_EQ(Usage(), frozen);
  ASSERT_EQ(group_->Thaw(), absl::OkStatus());
  EXPECT_TRUE(Burns());
  EXPECT_FALSE(IsFrozen());
}

TEST_F(FreezeTest, WhatIsFrozenCanBeKilled) {
  ASSERT_TRUE(Burns());
  ASSERT_EQ(group_->Freeze(kSoon), absl::OkStatus());
  EXPECT_FALSE(group_->IsEmpty());
  ASSERT_EQ(group_->KillAll(), absl::OkStatus());
  EXPECT_EQ(group_->WaitEmpty(kSoon), absl::OkStatus());
  int status = 0;
  ASSERT_EQ(waitpid(burner_, &status, 0), burner_);
  burner_ = -1;
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
}

}  // namespace
}  // namespace paddock
