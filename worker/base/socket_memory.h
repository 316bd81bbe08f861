#ifndef PADDOCK_WORKER_BASE_SOCKET_MEMORY_H_
#define PADDOCK_WORKER_BASE_SOCKET_MEMORY_H_

namespace paddock {

// cgroup v1 counts the buffers of TCP and UDP sockets apart from all other
// memory, by memory.kmem.tcp.*, and for those sockets alone that are made when
// their group has a limit. That one bounds nothing by itself, for full buffers
// kill nobody: it is no less than the memory limit, to which the sum is held.
inline constexpr char kSocketMemoryLimitFile[] =
    "memory.kmem.tcp.limit_in_bytes";

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_SOCKET_MEMORY_H_
