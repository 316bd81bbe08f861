#include "server/config/command_line.h"

#include <CLI/CLI.hpp>

namespace paddock {
namespace {

// CLI::NonNegativeNumber writes the largest double there is into its message.
CLI::Validator NotNegative() {
  return CLI::Validator(
      [](const std::string& text) {
        return !text.empty() && text[0] == '-' ? "must not be negative" : "";
      },
      "");
}

struct NamedFlag {
  const char* flag;
  const char* path;
  const char* help;
};
constexpr NamedFlag kNamedFlags[] = {
    {"--grpc-address", "listen.grpc_address",
     "gRPC over TCP, host:port; port 0 takes a free one, empty: none"},
    {"--unix-socket", "listen.unix_socket",
     "gRPC over this Unix socket; empty: none"},
    {"--http-address", "listen.http_address",
     "/metrics over HTTP, host:port; port 0 takes a free one, empty: none"},
    {"--workers", "workers.count", "programs that run at a time"},
    {"--user", "workers.user", "the user the server process runs as"},
    {"--log-level", "log.level", "debug, info, warning or error"},
    {"--log-format", "log.format", "text or json"},
};

void AddConfigFlags(CLI::App* app, CommandLine* line) {
  app->add_option("--config", line->config_file,
                  "configuration file (default /etc/paddock/paddock.yaml, if "
                  "there is one)")
      ->envname("PADDOCK_CONFIG");
  for (const NamedFlag& named : kNamedFlags) {
    app->add_option_function<std::string>(
           named.flag,
           [line, named](const std::string& value) {
             line->settings.push_back({named.flag, named.path, value});
           },
           named.help)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
  app->add_option_function<std::vector<std::string>>(
         "--set",
         [line](const std::vector<std::string>& all) {
           for (const std::string& one : all) {
             const size_t equals = one.find('=');
             if (equals == std::string::npos) {
               throw CLI::ValidationError("--set",
                                          "expected FIELD=VALUE, got " + one);
             }
             line->settings.push_back(
                 {"--set", one.substr(0, equals), one.substr(equals + 1)});
           }
         },
         "set any field of the configuration: --set "
         "requests.default_limits.cpu_time=2s (repeatable)")
      ->type_name("FIELD=VALUE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app->add_flag("--check-config", line->check_config,
                "check the configuration and stop: exit 0 or 1");
  app->add_flag("--print-config", line->print_config,
                "print the configuration in effect as YAML and stop");
}

// What the supervisor passes to the server; nobody types these.
void AddRoleFlags(CLI::App* app, CommandLine* line) {
  CLI::Option* role = app->add_option_function<std::string>(
                             "--role",
                             [line](const std::string& role) {
                               line->is_server = role == "server";
                             })
                          ->check(CLI::IsMember({"server"}))
                          ->group("");
  for (auto [flag, field] : {std::pair{"--launch-fd", &line->launch_fd},
                             std::pair{"--control-fd", &line->control_fd},
                             std::pair{"--parent-pid", &line->parent_pid}}) {
    CLI::Option* option = app->add_option(flag, *field)->group("");
    option->check(NotNegative())->needs(role);
    role->needs(option);
  }
}

}  // namespace

std::optional<CommandLine> ParseCommandLine(int argc, char** argv,
                                            int* exit_code) {
  CommandLine line;
  CLI::App app(
      "paddockd runs untrusted programs in sandboxes for gRPC clients.\n"
      "Each field of the configuration can be set by its environment variable "
      "too: PADDOCK_LISTEN__GRPC_ADDRESS sets listen.grpc_address. Flags win "
      "over the environment, the environment over the file.",
      "paddockd");
  app.set_version_flag("--version", "paddockd " PADDOCK_VERSION);
  AddConfigFlags(&app, &line);
  AddRoleFlags(&app, &line);
  app.add_option("--ready-fd", line.ready_fd,
                 "write {\"grpc_port\":..,\"http_port\":..,\"unix_socket\":..} "
                 "to this descriptor when ready, then close it")
      ->check(NotNegative());
  app.add_option("--worker-binary", line.worker_binary,
                 "paddock-worker to start (default: beside paddockd, or in "
                 "../libexec/paddock)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11 has codes of its own; 2 is what a wrong command line is elsewhere.
    *exit_code = app.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  return line;
}

}  // namespace paddock
