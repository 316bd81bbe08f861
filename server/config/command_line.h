#ifndef PADDOCK_SERVER_CONFIG_COMMAND_LINE_H_
#define PADDOCK_SERVER_CONFIG_COMMAND_LINE_H_

#include <optional>
#include <string>
#include <vector>

#include "server/config/load_config.h"

namespace paddock {

// paddockd's command line.
struct CommandLine {
  bool check_config = false;
  bool print_config = false;
  // Path of the configuration file; empty: the default one.
  std::string config_file;
  // Set by flags; those of --set come last and win.
  std::vector<Setting> settings;
  // Where the line of JSON about the ports goes; -1: nowhere.
  int ready_fd = -1;
  // Empty: the one that belongs to this paddockd.
  std::string worker_binary;

  // Only of a process that the supervisor started: --role=server.
  bool is_server = false;
  int launch_fd = -1;
  int control_fd = -1;
  int parent_pid = -1;
};

// Parses `argv`. nullopt: there is nothing to run (--help, --version or an
// error, which was printed); `*exit_code` is what main returns then.
std::optional<CommandLine> ParseCommandLine(int argc, char** argv,
                                            int* exit_code);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFIG_COMMAND_LINE_H_
