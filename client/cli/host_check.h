#ifndef PADDOCK_CLIENT_CLI_HOST_CHECK_H_
#define PADDOCK_CLIENT_CLI_HOST_CHECK_H_

#include <string>
#include <vector>

namespace paddock {

enum class HostState {
  kOk,
  kMissing,   // the service cannot start without it
  kOptional,  // missing, and the service starts without it
  kUnknown,   // nothing readable tells
};

struct HostFinding {
  HostState state;
  std::string what;    // as "kernel"
  std::string detail;  // what was found, and what to do if it is not enough
};

// What a Paddock server needs of the host it runs on, judged by /proc and /sys
// below `root` alone ("" is the host itself): changes nothing, needs no right.
// What the server itself reports once it runs is the last word.
std::vector<HostFinding> CheckHost(const std::string& root);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_HOST_CHECK_H_
