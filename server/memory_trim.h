#ifndef PADDOCK_SERVER_MEMORY_TRIM_H_
#define PADDOCK_SERVER_MEMORY_TRIM_H_

namespace paddock {

// Gives to the kernel what the allocator keeps for the next time, if that is
// much. By itself it gives little back: gRPC reads each connection's bytes in
// whatever thread is free, and each thread's arena stays as large as it once
// was, malloc_trim(3). Any thread; takes milliseconds where there is much.
void TrimMemory();

}  // namespace paddock

#endif  // PADDOCK_SERVER_MEMORY_TRIM_H_
