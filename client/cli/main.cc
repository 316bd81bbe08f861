// The `paddock` command.

#include <stdlib.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/report.h"
#include "google/protobuf/stubs/logging.h"

namespace paddock {
namespace {

constexpr char kDescription[] =
    "Runs untrusted programs in sandboxes, through a Paddock server.";

// Takes what stands behind the first "--" of `paddock run` out of `words`: it
// is the program's, whatever it looks like.
std::optional<std::vector<std::string>> CutAtDashes(
    std::vector<std::string>* words) {
  if (words->empty() || words->front() != "run") return std::nullopt;
  const auto dashes = std::find(words->begin(), words->end(), "--");
  if (dashes == words->end()) return std::nullopt;
  std::vector<std::string> after(dashes + 1, words->end());
  words->erase(dashes, words->end());
  return after;
}

int Main(std::vector<std::string> words) {
  const std::optional<std::vector<std::string>> after = CutAtDashes(&words);
  CLI::App app(kDescription, "paddock");
  app.set_version_flag("--version", "paddock " PADDOCK_VERSION);
  app.require_subcommand(1);
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return absl::StrCat("paddock: ", error.what(), "; see --help\n");
  });
  app.footer("\n`paddock COMMAND --help` says more about each.");
  const Subcommand commands[] = {
      AddRunCommand(&app, &after),
      AddExecuteCommand(&app),
      AddDoctorCommand(&app),
      AddInfoCommand(&app),
  };
  // CLI11 would only say that some command is required.
  const auto is_named = [&words](const Subcommand& command) {
    return command.app->get_name() == words[0];
  };
  if (!words.empty() && !absl::StartsWith(words[0], "-") &&
      std::none_of(std::begin(commands), std::end(commands), is_named)) {
    PrintError(absl::StrCat("no command is called ", words[0],
                            "; see paddock --help"));
    return kExitTrouble;
  }
  try {
    // CLI11 takes the words from the back.
    std::reverse(words.begin(), words.end());
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    // Help and version come this way too, with 0.
    return app.exit(error) == 0 ? 0 : kExitTrouble;
  }
  for (const Subcommand& command : commands) {
    if (command.app->parsed()) return command.run();
  }
  return kExitTrouble;
}

}  // namespace
}  // namespace paddock

int main(int argc, char** argv) {
  // Both libraries would write their own lines beside our error messages. The
  // user's own setting stands.
  setenv("GRPC_VERBOSITY", "NONE", 0);
  google::protobuf::SetLogHandler(nullptr);
  return paddock::Main(std::vector<std::string>(argv + 1, argv + argc));
}
