#include <unistd.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/local_files.h"
#include "client/cli/options.h"
#include "client/cli/report.h"
#include "client/message_format.h"
#include "client/paddock_client.h"

namespace paddock {
namespace {

int Info(const std::string& flag) {
  const std::string server = ResolveServer(flag);
  PaddockClient client(server);
  const absl::StatusOr<v1::GetServerInfoResponse> info =
      client.GetServerInfo({absl::Seconds(10)});
  if (!info.ok()) {
    PrintCallError(server, info.status());
    return kExitTrouble;
  }
  const absl::StatusOr<std::string> json =
      PrintMessage(*info, MessageFormat::kJson);
  absl::Status status = json.status();
  if (status.ok()) {
    status = WriteStandardStream(STDOUT_FILENO, *json);
  }
  if (status.ok()) return 0;
  PrintError(status.message());
  return kExitTrouble;
}

}  // namespace

Subcommand AddInfoCommand(CLI::App* app) {
  CLI::App* command = app->add_subcommand(
      "info", "Print what the server says of itself, as JSON");
  const auto server = std::make_shared<std::string>();
  AddServerOption(command, server.get());
  return {command, [server] { return Info(*server); }};
}

}  // namespace paddock
