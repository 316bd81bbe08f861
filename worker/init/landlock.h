#ifndef PADDOCK_WORKER_INIT_LANDLOCK_H_
#define PADDOCK_WORKER_INIT_LANDLOCK_H_

namespace paddock::init {

// The Landlock ABI of this kernel; 0 if it has none or it is switched off:
// landlock_create_ruleset(2).
int LandlockAbi();

// Restricts the calling process to the sandbox's own tree once more: read and
// execute below /, write below the writable directories. `abi` from
// LandlockAbi(), not 0. With `loopback` TCP stays allowed. False with errno.
bool RestrictWithLandlock(int abi, bool loopback);

}  // namespace paddock::init

#endif  // PADDOCK_WORKER_INIT_LANDLOCK_H_
