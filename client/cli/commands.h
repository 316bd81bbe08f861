#ifndef PADDOCK_CLIENT_CLI_COMMANDS_H_
#define PADDOCK_CLIENT_CLI_COMMANDS_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"

namespace paddock {

// Each adds one subcommand to `app` and returns what runs it once the command
// line is parsed and named it; the int is the exit code.
using Command = std::function<int()>;

struct Subcommand {
  CLI::App* app;
  Command run;
};

// `after_dashes` is what stood behind the first "--", if there was one, and was
// kept from the parser: a program's words are never taken for flags. Borrowed,
// read when the command runs.
Subcommand AddRunCommand(
    CLI::App* app, const std::optional<std::vector<std::string>>* after_dashes);
Subcommand AddExecuteCommand(CLI::App* app);
Subcommand AddDoctorCommand(CLI::App* app);
Subcommand AddInfoCommand(CLI::App* app);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_COMMANDS_H_
