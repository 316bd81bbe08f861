#include "worker/sandbox/limit_clock.h"

#include <algorithm>

namespace paddock {
namespace {

constexpr absl::Duration kShortestSleep = absl::Milliseconds(1);
// Idle means: less than kBusy of CPU time in one window. A program that has
// used up its quota stands still for a while, the longer the smaller its share
// of a CPU: a window has room for several times kBusy.
constexpr absl::Duration kIdleWindow = absl::Milliseconds(100);
constexpr absl::Duration kBusy = absl::Milliseconds(1);
constexpr absl::Duration kQuotaOfWindow = absl::Milliseconds(5);

}  // namespace

LimitClock::LimitClock(const ProgramLimits& limits, int online_cpus)
    : limits_(limits) {
  usable_cpus_ = std::min({static_cast<double>(online_cpus), limits.cpus,
                           static_cast<double>(limits.processes)});
  // A quota below one CPU slows a program only on average: within a period it
  // may run at full speed.
  usable_cpus_ = std::max(usable_cpus_, 1.0);
  idle_window_ = std::max(kIdleWindow, kQuotaOfWindow / limits.cpus);
  Look(absl::ZeroDuration(), absl::ZeroDuration());
}

std::optional<EndReason> LimitClock::Look(absl::Duration now,
                                          absl::Duration cpu) {
  if (cpu >= limits_.cpu_time) return EndReason::kCpuTime;
  if (now >= limits_.wall_time) return EndReason::kWallTime;
  next_look_ = std::min(
      limits_.wall_time,
      now + std::max(kShortestSleep, (limits_.cpu_time - cpu) / usable_cpus_));
  if (limits_.idle_time.has_value()) {
    UpdateIdle(now, cpu);
    // Nothing is known yet of the window that has begun.
    if (window_start_ - idle_since_ >= *limits_.idle_time) {
      return EndReason::kIdleTime;
    }
    next_look_ = std::min(next_look_, window_start_ + idle_window_);
  }
  return std::nullopt;
}

void LimitClock::UpdateIdle(absl::Duration now, absl::Duration cpu) {
  const absl::Duration window = now - window_start_;
  if (cpu - window_cpu_ >= kBusy) {
    idle_since_ = now;  // busy at some time in the window: no idle span there
  } else if (window < idle_window_) {
    return;  // too early to tell
  }
  window_start_ = now;
  window_cpu_ = cpu;
}

}  // namespace paddock
