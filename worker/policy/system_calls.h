#ifndef PADDOCK_WORKER_POLICY_SYSTEM_CALLS_H_
#define PADDOCK_WORKER_POLICY_SYSTEM_CALLS_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace paddock {

// AUDIT_ARCH_* of the machine this code was compiled for.
uint32_t NativeArchitecture();

// Number of the call in `audit_arch`; nothing if that has no such call.
std::optional<uint32_t> SystemCallNumber(uint32_t audit_arch,
                                         absl::string_view name);

// Whether any architecture has a call of this name.
bool IsSystemCallName(absl::string_view name);

// Which argument of clone(2) has its flags: the first, but where the first two
// are swapped.
#if defined(__s390__)
inline constexpr int kCloneFlagsArgument = 1;
#else
inline constexpr int kCloneFlagsArgument = 0;
#endif

}  // namespace paddock

#endif  // PADDOCK_WORKER_POLICY_SYSTEM_CALLS_H_
