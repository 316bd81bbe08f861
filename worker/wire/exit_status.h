#ifndef PADDOCK_WORKER_WIRE_EXIT_STATUS_H_
#define PADDOCK_WORKER_WIRE_EXIT_STATUS_H_

namespace paddock {

// Of a worker to which the host or a container refuses what a sandbox needs:
// another attempt would end in the same way. EX_CONFIG of sysexits.h.
inline constexpr int kExitHostRefuses = 78;

}  // namespace paddock

#endif  // PADDOCK_WORKER_WIRE_EXIT_STATUS_H_
