#ifndef PADDOCK_WORKER_POLICY_BPF_COMPILER_H_
#define PADDOCK_WORKER_POLICY_BPF_COMPILER_H_

#include <linux/filter.h>

#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/statusor.h"

namespace paddock {

// Turns verdicts by system call number into a seccomp(2) program. Numbers are
// found by a balanced tree over intervals: loading a filter costs time in
// proportion to its length, and few instructions run for each call.
// A verdict is what the program returns: SECCOMP_RET_*, with its data.

// True for a call whose argument number `argument` (0 to 5), seen as the
// kernel's unsigned 64 bits, has `value` in the bits of `mask`.
struct ArgumentTest {
  int argument = 0;
  uint64_t mask = 0;
  uint64_t value = 0;  // no bit outside of `mask`
};

// `verdict` if every test is true.
struct ArgumentClause {
  std::vector<ArgumentTest> tests;
  uint32_t verdict = 0;
};

// The first clause that holds decides, else `otherwise`.
struct CallVerdict {
  std::vector<ArgumentClause> clauses;
  uint32_t otherwise = 0;
};

// From here on numbers are another table's of the same architecture: x86_64
// marks calls of x32 with this bit.
inline constexpr uint32_t kFirstMarkedNumber = 0x40000000;

struct FilterSpec {
  uint32_t architecture = 0;  // AUDIT_ARCH_*
  uint32_t foreign_architecture_verdict = 0;
  // By number, below kFirstMarkedNumber.
  std::map<uint32_t, CallVerdict> calls;
  uint32_t default_verdict = 0;  // of the other numbers below it
  uint32_t marked_number_verdict = 0;
};

// InvalidArgument if a test names no argument or cannot be true;
// ResourceExhausted if the program would be longer than the kernel takes
// (BPF_MAXINSNS).
absl::StatusOr<std::vector<sock_filter>> CompileFilter(const FilterSpec& spec);

}  // namespace paddock

#endif  // PADDOCK_WORKER_POLICY_BPF_COMPILER_H_
