#ifndef PADDOCK_SERVER_SCHEDULING_MEMORY_SHARE_H_
#define PADDOCK_SERVER_SCHEDULING_MEMORY_SHARE_H_

#include <cstdint>

#include "paddock/v1/process.pb.h"

namespace paddock {

// Inputs are in memory so many times while their process runs: in the server's
// message, in the worker's, in what the worker made of it, and as files.
inline constexpr int64_t kInputCopies = 4;

// The most bytes of the host's memory that a run of `process`, which is
// complete and checked, can take. memory_bytes bounds what is charged to the
// program, its files included; workspace_bytes stands for the files of the run
// before, which go after its answer; inputs are charged to the service.
int64_t MemoryShare(const v1::Process& process);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SCHEDULING_MEMORY_SHARE_H_
