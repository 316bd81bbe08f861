#ifndef PADDOCK_WORKER_SANDBOX_REFUSAL_H_
#define PADDOCK_WORKER_SANDBOX_REFUSAL_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "worker/init/setup_step.h"

namespace paddock {

// What around this process may refuse even root something: a container runtime
// or an administrator put it there.
struct Confinement {
  bool filtered = false;  // by seccomp(2)
  // Of AppArmor or another security module; empty if it confines nothing.
  std::string security_profile;
  std::vector<std::string> masks;       // mounts over parts of /proc
  std::vector<std::string> no_more_of;  // sysctls user.max_* that are 0
};

// Of this process. Before it loads a filter of its own.
Confinement ReadConfinement();

// The same of the texts of files in /proc: self/status, self/attr/current,
// self/mountinfo. `no_more_of` stays empty.
Confinement ParseConfinement(absl::string_view status,
                             absl::string_view security_profile,
                             absl::string_view mountinfo);

// `status`, which a step of building a sandbox (kNone: the worker's own set-up)
// ended with. If it says that the kernel or what is in `confinement` refused
// the call, cause and fix are added, and IsRefusal() is true of it.
absl::Status ExplainRefusal(const absl::Status& status, init::SetupStep step,
                            const Confinement& confinement);

// Whether trying again is of no use: somebody has to allow something first.
bool IsRefusal(const absl::Status& status);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_REFUSAL_H_
