#ifndef PADDOCK_SERVER_SUPERVISOR_CHILD_PROCESS_H_
#define PADDOCK_SERVER_SUPERVISOR_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/supervisor/service_user.h"

namespace paddock {

// A program to start as a child that dies with the supervisor.
struct ChildProgram {
  // Opened once, at start: the same build is started again even after another
  // was installed, and its path need not be reachable for `user`.
  int executable = -1;
  std::vector<std::string> argv;
  // Stay open, under the same numbers. All others but 0, 1 and 2 close.
  std::vector<int> descriptors;
  // Set: the child gives up everything and becomes this user.
  const ServiceUser* user = nullptr;
};

// What fork(2) said. FailedPrecondition, with what an operator can do about it,
// if it was forbidden: the kernel itself never does that.
absl::Status ForkError(int error);

// fork(2) and execveat(2). The child has a session of its own, so that a
// terminal's Ctrl-C reaches only the supervisor; /dev/null as stdin; our stdout
// and stderr; no signal blocked or ignored; and of our environment what
// ChildEnvironment() has. It dies when this process does (PR_SET_PDEATHSIG),
// also if that happened before it could ask for that. Returns once the exec
// succeeded. Process: supervisor, which must have one thread.
absl::StatusOr<pid_t> StartChild(const ChildProgram& program);

// Variables of `environment` that children get: those of locale, time zone,
// library path, gRPC and sanitizers. The rest may hold secrets of the operator.
std::vector<std::string> ChildEnvironment(char** environment);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_CHILD_PROCESS_H_
