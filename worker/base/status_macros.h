#ifndef PADDOCK_WORKER_BASE_STATUS_MACROS_H_
#define PADDOCK_WORKER_BASE_STATUS_MACROS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace paddock {

// Status of a failed system call. `error` is errno, taken before anything else
// could change it; `what` names the call and its arguments.
absl::Status ErrnoStatus(int error, absl::string_view what);

// The errno that ErrnoStatus put into `status`; 0 if it came from elsewhere.
int ErrnoOf(const absl::Status& status);

// `status` with `where` before its message, and the same errno.
absl::Status Annotate(const absl::Status& status, absl::string_view where);

}  // namespace paddock

#define PADDOCK_CONCAT_INNER(a, b) a##b
#define PADDOCK_CONCAT(a, b) PADDOCK_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expr)                           \
  do {                                                  \
    if (absl::Status status_ = (expr); !status_.ok()) { \
      return status_;                                   \
    }                                                   \
  } while (0)

#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_IMPL(PADDOCK_CONCAT(status_or_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                          \
  if (!tmp.ok()) return tmp.status();         \
  lhs = std::move(tmp).value()

#endif  // PADDOCK_WORKER_BASE_STATUS_MACROS_H_
