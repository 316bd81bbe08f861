#ifndef PADDOCK_SERVER_SUPERVISOR_KERNEL_RELEASE_H_
#define PADDOCK_SERVER_SUPERVISOR_KERNEL_RELEASE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace paddock {

// FailedPrecondition if a kernel of that release, as uname(2) tells it, is too
// old for sandboxes. One that cannot be read is not.
absl::Status CheckKernelRelease(absl::string_view release);

// The same of the kernel that runs.
absl::Status CheckKernel();

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_KERNEL_RELEASE_H_
