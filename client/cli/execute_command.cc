#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/flag_values.h"
#include "client/cli/interrupt.h"
#include "client/cli/local_files.h"
#include "client/cli/options.h"
#include "client/cli/report.h"
#include "client/message_format.h"
#include "client/paddock_client.h"

namespace paddock {
namespace {

constexpr char kFooter[] = R"(
FILE holds a paddock.v1.ExecuteRequest as protobuf JSON or in protobuf's text
format, told apart by its content. The paddock.v1.ExecuteResponse is printed in
the same format unless --output names one.

Exit codes: 0 if there is a response, whatever its outcome; 125 if there is none.

Example:
  echo '{"job":{"process":{"argv":["/bin/true"]}}}' | paddock execute -)";

struct ExecuteOptions {
  std::string server;
  std::string file;
  std::optional<MessageFormat> output;
  absl::Duration deadline = absl::InfiniteDuration();
};

absl::StatusOr<MessageFormat> ParseFormat(const std::string& text) {
  if (text == "json") return MessageFormat::kJson;
  if (text == "text") return MessageFormat::kText;
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is neither json nor text"));
}

absl::StatusOr<std::string> ReadRequest(const std::string& file) {
  if (file == "-") return ReadStandardInput();
  absl::StatusOr<LocalFile> local = ReadLocalFile(file);
  if (!local.ok()) return local.status();
  return std::move(local->data);
}

absl::Status PrintResponse(const v1::ExecuteResponse& response,
                           MessageFormat format) {
  const absl::StatusOr<std::string> text = PrintMessage(response, format);
  if (!text.ok()) return text.status();
  return WriteStandardStream(STDOUT_FILENO, *text);
}

int Execute(const ExecuteOptions& options) {
  const absl::StatusOr<std::string> content = ReadRequest(options.file);
  v1::ExecuteRequest request;
  absl::Status status = content.status();
  if (status.ok()) status = ParseMessage(*content, &request);
  if (!status.ok()) {
    PrintError(absl::StrCat(options.file, ": ", status.message()));
    return kExitTrouble;
  }
  Canceller canceller;
  InterruptWatcher interrupt(&canceller);
  const std::string server = ResolveServer(options.server);
  PaddockClient client(server);
  const absl::StatusOr<v1::ExecuteResponse> response =
      client.Execute(request, {options.deadline, &canceller});
  interrupt.Stop();
  if (!response.ok() && interrupt.signal() != 0) {
    PrintError("interrupted; the job is killed");
    return kExitSignalBase + interrupt.signal();
  }
  if (!response.ok()) {
    PrintCallError(server, response.status());
    return kExitTrouble;
  }
  status =
      PrintResponse(*response, options.output.value_or(GuessFormat(*content)));
  if (status.ok()) return 0;
  PrintError(status.message());
  return kExitTrouble;
}

}  // namespace

Subcommand AddExecuteCommand(CLI::App* app) {
  CLI::App* command = app->add_subcommand(
      "execute", "Send a whole request, written as JSON or text format");
  command->footer(kFooter);
  const auto options = std::make_shared<ExecuteOptions>();
  AddServerOption(command, &options->server);
  AddParsedOption(
      command, "--output", "json|text",
      "Format of the response (default: as FILE)", ParseFormat,
      [options](MessageFormat format) { options->output = format; });
  AddParsedOption(
      command, "--deadline", "DURATION",
      "Give up and kill the job after this, waiting included", ParseDuration,
      [options](absl::Duration value) { options->deadline = value; });
  command->add_option("FILE", options->file, "The request; - is standard input")
      ->required();
  return {command, [options] { return Execute(*options); }};
}

}  // namespace paddock
