#ifndef PADDOCK_CLIENT_CLI_EXIT_CODE_H_
#define PADDOCK_CLIENT_CLI_EXIT_CODE_H_

#include "paddock/v1/result.pb.h"

namespace paddock {

// Exit codes of the command line that are not the program's own. Those of
// timeout(1), env(1) and shells, where these have one.
inline constexpr int kExitTimeLimit = 124;  // CPU, wall or idle time, timeout
inline constexpr int kExitTrouble = 125;    // of the client or the service
inline constexpr int kExitNotExecutable = 126;
inline constexpr int kExitNotFound = 127;
inline constexpr int kExitSignalBase = 128;       // + signal number
inline constexpr int kExitMemoryLimit = 137;      // as the kernel's SIGKILL
inline constexpr int kExitOutputLimit = 153;      // as SIGXFSZ
inline constexpr int kExitPolicyViolation = 159;  // as SIGSYS

// The code `paddock run` exits with for a job that was one process.
int ExitCodeOf(const v1::JobResult& result);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_EXIT_CODE_H_
