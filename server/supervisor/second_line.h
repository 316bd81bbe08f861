#ifndef PADDOCK_SERVER_SUPERVISOR_SECOND_LINE_H_
#define PADDOCK_SERVER_SUPERVISOR_SECOND_LINE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace paddock {

// What holds for all sandboxes together below the layer that comes first. A
// host that does not give it runs without, and GetServerInfo says so.

// Sets the limit of huge pages of each size to 0 in a group of either version,
// and so for those below it. NotFound if the group has no such limit.
absl::Status ForbidHugePages(int group);

// Leaves a group of v1's devices controller the devices that a sandbox's /dev
// has, and those that a worker makes it from.
absl::Status AllowSandboxDevicesOnly(int group);

// What to tell an operator whose core_pattern(5) this is; empty: nothing.
std::string CorePatternWarning(absl::string_view core_pattern);

// FailedPrecondition if this service, whose hard RLIMIT_CORE `hard_limit` is,
// cannot keep the kernel from starting the helper of `core_pattern` for a
// program that crashes.
absl::Status CheckCoreLimit(absl::string_view core_pattern,
                            uint64_t hard_limit);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_SECOND_LINE_H_
