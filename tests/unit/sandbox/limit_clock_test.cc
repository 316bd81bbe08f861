#include "worker/sandbox/limit_clock.h"

#include <gtest/gtest.h>

namespace paddock {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);

ProgramLimits Limits() {
  ProgramLimits limits;
  limits.cpu_time = 1000 * kMs;
  limits.wall_time = 3000 * kMs;
  limits.processes = 64;
  limits.cpus = 1;
  return limits;
}

TEST(LimitClockTest, LooksWhenCpuTimeCanBeSpentAtTheEarliest) {
  LimitClock clock(Limits(), 8);
  EXPECT_EQ(clock.NextLook(), 1000 * kMs);
  EXPECT_EQ(clock.Look(1000 * kMs, 400 * kMs), std::nullopt);
  EXPECT_EQ(clock.NextLook(), 1600 * kMs);
}

TEST(LimitClockTest, SeveralCpusSpendFaster) {
  ProgramLimits limits = Limits();
  limits.cpus = 4;
  EXPECT_EQ(LimitClock(limits, 8).NextLook(), 250 * kMs);
  EXPECT_EQ(LimitClock(limits, 2).NextLook(), 500 * kMs);
  limits.processes = 1;  // one thread uses one CPU at most
  EXPECT_EQ(LimitClock(limits, 8).NextLook(), 1000 * kMs);
}

TEST(LimitClockTest, AShareOfACpuMayBeUsedInOneGo) {
  ProgramLimits limits = Limits();
  limits.cpus = 0.1;
  EXPECT_EQ(LimitClock(limits, 8).NextLook(), 1000 * kMs);
}

TEST(LimitClockTest, CpuLimitIsMetAtTheEdgeAndNotBefore) {
  LimitClock clock(Limits(), 1);
  EXPECT_EQ(clock.Look(1000 * kMs, 999 * kMs), std::nullopt);
  EXPECT_EQ(clock.NextLook(), 1001 * kMs);  // never less than 1 ms ahead
  EXPECT_EQ(clock.Look(1001 * kMs, 1000 * kMs), EndReason::kCpuTime);
}

TEST(LimitClockTest, WallLimitIsMetAtTheEdgeAndNotBefore) {
  LimitClock clock(Limits(), 1);
  EXPECT_EQ(clock.Look(2999 * kMs, absl::ZeroDuration()), std::nullopt);
  EXPECT_EQ(clock.NextLook(), 3000 * kMs);
  EXPECT_EQ(clock.Look(3000 * kMs, absl::ZeroDuration()), EndReason::kWallTime);
}

TEST(LimitClockTest, IdleSpanEndsTheRun) {
  ProgramLimits limits = Limits();
  limits.idle_time = 500 * kMs;
  LimitClock clock(limits, 1);
  std::optional<EndReason> end;
  absl::Duration now;
  while (!end && now < limits.wall_time) {
    now = clock.NextLook();
    end = clock.Look(now, absl::ZeroDuration());
  }
  EXPECT_EQ(end, EndReason::kIdleTime);
  EXPECT_EQ(now, 500 * kMs);
}

TEST(LimitClockTest, AMillisecondOfWorkNowAndThenIsNotIdle) {
  ProgramLimits limits = Limits();
  limits.idle_time = 500 * kMs;
  LimitClock clock(limits, 1);
  absl::Duration cpu;
  for (absl::Duration now = 100 * kMs; now < limits.wall_time;
       now += 100 * kMs) {
    cpu += kMs;
    EXPECT_EQ(clock.Look(now, cpu), std::nullopt) << now;
  }
}

TEST(LimitClockTest, LessThanAMillisecondOfWorkIsIdle) {
  ProgramLimits limits = Limits();
  limits.idle_time = 500 * kMs;
  LimitClock clock(limits, 1);
  std::optional<EndReason> end;
  absl::Duration cpu;
  for (absl::Duration now = 100 * kMs; now <= 600 * kMs && !end;
       now += 100 * kMs) {
    cpu += absl::Microseconds(100);
    end = clock.Look(now, cpu);
  }
  EXPECT_EQ(end, EndReason::kIdleTime);
}

// With a hundredth of a CPU a program may run for 4 ms, and then stands still
// for 400.
TEST(LimitClockTest, AProgramThatWaitsForItsQuotaIsNotIdle) {
  ProgramLimits limits = Limits();
  limits.idle_time = 100 * kMs;
  limits.cpus = 0.01;
  LimitClock clock(limits, 1);
  while (clock.NextLook() < limits.wall_time) {
    const absl::Duration now = clock.NextLook();
    const absl::Duration cpu =
        4 * kMs * (1 + absl::Floor(now, 400 * kMs) / (400 * kMs));
    ASSERT_EQ(clock.Look(now, cpu), std::nullopt) << now;
  }
}

TEST(LimitClockTest, AnIdleSpanIsOfWholeWindows) {
  ProgramLimits limits = Limits();
  limits.idle_time = 150 * kMs;
  LimitClock clock(limits, 1);
  EXPECT_EQ(clock.Look(100 * kMs, absl::ZeroDuration()), std::nullopt);
  EXPECT_EQ(clock.Look(199 * kMs, absl::ZeroDuration()), std::nullopt);
  EXPECT_EQ(clock.Look(200 * kMs, absl::ZeroDuration()), EndReason::kIdleTime);
}

}  // namespace
}  // namespace paddock
