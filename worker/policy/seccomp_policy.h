#ifndef PADDOCK_WORKER_POLICY_SECCOMP_POLICY_H_
#define PADDOCK_WORKER_POLICY_SECCOMP_POLICY_H_

#include <linux/filter.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/policy/weakening.h"

namespace paddock {

// What system calls may do, as seccomp(2) programs for this machine's
// architecture. The rules are data: rules.h. Compile once, load as bytes.

struct FilterOptions {
  // Stream and datagram sockets of AF_INET and AF_INET6. Without it they are
  // EAFNOSUPPORT.
  bool internet_sockets = false;
  // Each allows the calls of its WeakeningRules and changes nothing else.
  Weakenings weakenings;
};

// For programs. Refused calls return an errno; numbers that were unknown when
// the rules were written return ENOSYS, so that libraries fall back. A call of
// another architecture, those marked as violations and those that are counted
// go to the listener (SECCOMP_RET_USER_NOTIF): load it with
// SECCOMP_FILTER_FLAG_NEW_LISTENER, and after the last use of io_uring, ptrace
// and the like; the kernel needs no_new_privs or CAP_SYS_ADMIN for that.
absl::StatusOr<std::vector<sock_filter>> CompileSandboxFilter(
    const FilterOptions& options);

// The worker's own: everything but what rules.h lists for it, which returns
// ENOSYS. Sandboxes inherit it and it stays below their own filter: it decides
// nothing that the sandbox filter refuses, violations included. `weakenings`
// are those of all its sandboxes: what one of them is allowed is not refused
// here.
absl::StatusOr<std::vector<sock_filter>> CompileWorkerFilter(
    Weakenings weakenings = {});

// "init_module" of (AUDIT_ARCH_X86_64, 175); "unknown" if there is no name.
// `number` is as the kernel reports it, with the bit that marks x32.
std::string SystemCallName(uint32_t audit_arch, int number);

// "x86_64" of AUDIT_ARCH_X86_64; "unknown" if there is no name.
std::string ArchitectureName(uint32_t audit_arch);

}  // namespace paddock

#endif  // PADDOCK_WORKER_POLICY_SECCOMP_POLICY_H_
