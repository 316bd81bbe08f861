#ifndef PADDOCK_WORKER_BASE_EPOLL_WATCHES_H_
#define PADDOCK_WORKER_BASE_EPOLL_WATCHES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace paddock {

// The kernel wakes all that wait for one descriptor without a pause, with
// interrupts off. With epoll(7) a program can let so many wait as its user may
// watch, fs.epoll.max_user_watches, which is the host's to set: by default a
// twenty-fifth of its memory. Nothing of a program's own bounds them: one file
// can be watched by every epoll instance under every number it has, and no
// filter sees under which it was before.

// 26 ms for one write. Four times what a program within the default
// limits has descriptors, 64 processes with 256 each.
inline constexpr int64_t kMostSafeEpollWatches = 65536;

// Of this host; `sysctl` is the directory sys of a /proc, or AT_FDCWD for that
// of our own.
absl::StatusOr<int64_t> ReadEpollWatches(int sysctl);

// For how long one write can stop a CPU with so many, in milliseconds, at the
// 0.4 us for each that were measured.
int64_t EpollStallMilliseconds(int64_t watches);

// What to tell an operator whose host has so many; empty: nothing.
std::string EpollWarning(int64_t watches);

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_EPOLL_WATCHES_H_
