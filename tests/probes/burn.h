#ifndef PADDOCK_TESTS_PROBES_BURN_H_
#define PADDOCK_TESTS_PROBES_BURN_H_

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <ctime>

namespace paddock_probe {

inline int64_t Nanos(clockid_t clock) {
  timespec now = {};
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline double Now(clockid_t clock) {
  return static_cast<double>(Nanos(clock)) * 1e-9;
}

inline void SpinUntil(clockid_t clock, double end) {
  while (Now(clock) < end) {
    for (int i = 0; i < 50000; ++i) asm volatile("");  // the clock is a call
  }
}

inline void SleepFor(double seconds) {
  timespec left = {
      static_cast<time_t>(seconds),
      static_cast<long>((seconds - static_cast<time_t>(seconds)) * 1e9)};
  while (nanosleep(&left, &left) != 0) {
  }
}

// What related processes tell one another; lives as long as they do.
struct Shared {
  std::atomic<int64_t> nanos;
  std::atomic<int> count;
  std::atomic<int> error;
};

// Null where it cannot be had.
inline Shared* MakeShared() {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Shared*>(memory);
}

inline void WaitForCount(const Shared* shared, int64_t count) {
  while (shared->count < count) SleepFor(0.002);
}

}  // namespace paddock_probe

#endif  // PADDOCK_TESTS_PROBES_BURN_H_
