#ifndef PADDOCK_WORKER_POLICY_RULES_H_
#define PADDOCK_WORKER_POLICY_RULES_H_

#include <linux/seccomp.h>

#include <cerrno>
#include <cstdint>

#include "absl/types/span.h"
#include "worker/policy/bpf_compiler.h"
#include "worker/policy/weakening.h"

namespace paddock {

// The rules themselves. Names, not numbers: a name that an architecture does
// not have makes no rule there.

inline constexpr uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr uint32_t Errno(uint32_t error) { return SECCOMP_RET_ERRNO | error; }
// The listener's owner is asked, and mostly lets it through.
inline constexpr uint32_t kCounted = SECCOMP_RET_USER_NOTIF;
// Returns 0 without doing anything.
inline constexpr uint32_t kPretend = SECCOMP_RET_ERRNO | 0;
// Ends the run: the listener's owner is told number and architecture.
inline constexpr uint32_t kViolation = SECCOMP_RET_USER_NOTIF;
// ENOSYS, as nobody may trace: seccomp(2). Unlike ERRNO it is weaker than
// USER_NOTIF, so it hides no violation from a filter loaded later.
inline constexpr uint32_t kUntraced = SECCOMP_RET_TRACE;

// One verdict, with one reason, for the calls in `names` (between spaces).
struct CallRule {
  uint32_t verdict;
  const char* reason;
  const char* names;
};

// A verdict that depends on arguments. Rules of one call are tried in the order
// of the table; if none holds, the call's CallRule decides.
struct ArgumentRule {
  const char* name;
  uint32_t verdict;
  const char* reason;
  ArgumentTest tests[3];  // all must be true; one with an empty mask always is
};

// For programs. Every call known has a rule; a number without one is ENOSYS.
absl::Span<const CallRule> ProgramCallRules();
absl::Span<const ArgumentRule> ProgramArgumentRules();
// Come before the ones above when internet sockets are wanted.
absl::Span<const ArgumentRule> InternetSocketRules();

// The calls in `names`, which the other rules refuse, are allowed in sandboxes
// that are weakened so.
struct WeakeningRule {
  Weakening weakening;
  const char* reason;
  const char* names;
};
absl::Span<const WeakeningRule> WeakeningRules();

// For the worker. A number without a rule is allowed.
absl::Span<const CallRule> WorkerCallRules();

}  // namespace paddock

#endif  // PADDOCK_WORKER_POLICY_RULES_H_
