#ifndef PADDOCK_WORKER_WIRE_LAYERS_H_
#define PADDOCK_WORKER_WIRE_LAYERS_H_

namespace paddock {

// What GetServerInfo calls the layers without which a server refuses what needs
// them. A worker tells which of them it has.

// Enforces Limits.cpus.
inline constexpr char kCpusLayer[] = "cpus";

// Holds the sockets of programs with NETWORK_LOOPBACK to Limits.memory_bytes.
inline constexpr char kLoopbackLayer[] = "loopback";

}  // namespace paddock

#endif  // PADDOCK_WORKER_WIRE_LAYERS_H_
