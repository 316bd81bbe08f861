#include <unistd.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cli/broken_pipe.h"
#include "client/cli/commands.h"
#include "client/cli/exit_code.h"
#include "client/cli/interrupt.h"
#include "client/cli/local_files.h"
#include "client/cli/options.h"
#include "client/cli/report.h"
#include "client/cli/run_flags.h"
#include "client/cli/run_request.h"
#include "client/cli/verdict.h"
#include "client/message_format.h"
#include "client/paddock_client.h"

namespace paddock {
namespace {

absl::Status CheckOutputs(const std::vector<OutputFile>& outputs) {
  std::set<std::string> seen;
  for (const OutputFile& output : outputs) {
    if (!seen.insert(output.local).second) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--out: two outputs would be written to ", output.local));
    }
  }
  return absl::OkStatus();
}

absl::Status PrintCapture(int fd, const char* name,
                          const v1::CapturedOutput& output) {
  if (output.has_blob()) {
    return absl::UnimplementedError(
        absl::StrCat("the server kept ", name,
                     " as a blob, which this command cannot fetch"));
  }
  return WriteStandardStream(fd,
                             output.has_text() ? output.text() : output.data());
}

bool HasRun(const v1::JobResult& result) {
  return result.process().exit_case() != v1::ProcessResult::EXIT_NOT_SET;
}

// What a person sees. False if something did not come out as asked for.
bool PrintResult(const RunOptions& options, const v1::JobResult& result,
                 const BrokenPipe& broken_pipe) {
  bool ok = true;
  for (const absl::Status& status :
       {PrintCapture(STDOUT_FILENO, "standard output",
                     result.process().stdout()),
        PrintCapture(STDERR_FILENO, "standard error",
                     result.process().stderr())}) {
    if (status.ok()) continue;
    // Who closed the pipe knows.
    if (!broken_pipe.happened()) PrintError(status.message());
    ok = false;
  }
  // A program that never ran said nothing itself.
  if (!options.quiet || !HasRun(result)) PrintError(VerdictLine(result));
  return ok;
}

bool PrintJson(const v1::ExecuteResponse& response,
               const BrokenPipe& broken_pipe) {
  absl::StatusOr<std::string> json =
      PrintMessage(response, MessageFormat::kJson);
  absl::Status status = json.status();
  if (status.ok()) {
    status = WriteStandardStream(STDOUT_FILENO, *json);
  }
  if (!status.ok() && !broken_pipe.happened()) PrintError(status.message());
  return status.ok();
}

int ShowResponse(const RunOptions& options,
                 const v1::ExecuteResponse& response) {
  BrokenPipe broken_pipe;
  // First: what reads our output may be slow, go away or interrupt us.
  WrittenOutputs outputs;
  if (HasRun(response.result())) {
    outputs = WriteOutputs(options, response.result().process());
  }
  const bool printed =
      options.json ? PrintJson(response, broken_pipe)
                   : PrintResult(options, response.result(), broken_pipe);
  for (const std::string& message : outputs.messages) PrintError(message);
  // The program's own trouble says more than what followed from it.
  const int code = ExitCodeOf(response.result());
  if (code != 0) return code;
  broken_pipe.Deliver();
  return printed && outputs.complete ? 0 : kExitTrouble;
}

int Run(RunOptions& options) {
  v1::ExecuteRequest request;
  *request.mutable_job()->mutable_process() = std::move(options.process);
  if (options.json) {
    v1::Process* process = request.mutable_job()->mutable_process();
    process->mutable_stdout()->set_prefer_text(true);
    process->mutable_stderr()->set_prefer_text(true);
  }
  absl::Status status = CheckOutputs(options.outputs);
  if (status.ok()) {
    status = ReadFiles(options, request.mutable_job()->mutable_process());
  }
  if (!status.ok()) {
    PrintError(status.message());
    return kExitTrouble;
  }
  Canceller canceller;
  InterruptWatcher interrupt(&canceller);
  const std::string server = ResolveServer(options.server);
  PaddockClient client(server);
  const absl::StatusOr<v1::ExecuteResponse> response =
      client.Execute(request, {options.deadline, &canceller});
  interrupt.Stop();
  if (response.ok()) return ShowResponse(options, *response);
  if (interrupt.signal() != 0) {
    PrintError("interrupted; the job is killed");
    return kExitSignalBase + interrupt.signal();
  }
  PrintCallError(server, response.status());
  return kExitTrouble;
}

}  // namespace

Subcommand AddRunCommand(
    CLI::App* app,
    const std::optional<std::vector<std::string>>* after_dashes) {
  CLI::App* command =
      app->add_subcommand("run", "Run one program in a sandbox of its own");
  const auto options = std::make_shared<RunOptions>();
  AddRunFlags(command, options.get());
  return {command, [command, after_dashes, options] {
            const absl::Status status = SetArguments(
                command->remaining(), *after_dashes, &options->process);
            if (status.ok()) return Run(*options);
            PrintError(status.message());
            return kExitTrouble;
          }};
}

}  // namespace paddock
