#ifndef PADDOCK_WORKER_BASE_SOCKET_MEMORY_H_
#define PADDOCK_WORKER_BASE_SOCKET_MEMORY_H_

#include <cstdint>

namespace paddock {

// cgroup v1 counts the buffers of TCP and UDP sockets apart from all other
// memory, by memory.kmem.tcp.*, and for those sockets alone that are made when
// their group has a limit. They may take this part of a memory limit, on top of
// it: full ones make a sender wait or drop a datagram, nothing is killed.
inline constexpr int64_t kSocketMemoryShare = 8;

inline constexpr char kSocketMemoryLimitFile[] =
    "memory.kmem.tcp.limit_in_bytes";

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_SOCKET_MEMORY_H_
