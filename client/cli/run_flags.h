#ifndef PADDOCK_CLIENT_CLI_RUN_FLAGS_H_
#define PADDOCK_CLIENT_CLI_RUN_FLAGS_H_

#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "client/cli/run_request.h"

namespace paddock {

// Adds every flag of `paddock run` and its help to `command`. `options` is
// borrowed, and filled as the command line is parsed.
void AddRunFlags(CLI::App* command, RunOptions* options);

// Sets argv from the words that are no flags: `before` the first "--", from the
// first that is no flag on, and `after` it, if there is one.
absl::Status SetArguments(std::vector<std::string> before,
                          const std::optional<std::vector<std::string>>& after,
                          v1::Process* process);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_RUN_FLAGS_H_
