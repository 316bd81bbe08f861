#include "client/cli/run_request.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/local_files.h"
#include "client/cli/verdict.h"

namespace paddock {
namespace {

absl::Status ReadInputs(const RunOptions& options, v1::Process* process) {
  for (const InputFile& file : options.inputs) {
    absl::StatusOr<LocalFile> local = ReadLocalFile(file.local);
    if (!local.ok()) return local.status();
    v1::Input* input = process->add_inputs();
    input->set_path(file.sandbox);
    input->mutable_source()->set_data(std::move(local->data));
    input->set_executable(local->executable);
  }
  return absl::OkStatus();
}

// A terminal is not read: a program that reads nothing would wait for a key.
// Neither is a descriptor that is not open.
bool StandardInputIsToRead() {
  return IsOpenStream(STDIN_FILENO) && !isatty(STDIN_FILENO);
}

absl::Status FillStandardInput(const RunOptions& options,
                               v1::Process* process) {
  std::string data;
  if (!options.stdin_file.empty()) {
    absl::StatusOr<LocalFile> local = ReadLocalFile(options.stdin_file);
    if (!local.ok()) return local.status();
    data = std::move(local->data);
  } else if (StandardInputIsToRead()) {
    absl::StatusOr<std::string> read = ReadStandardInput();
    if (!read.ok()) return read.status();
    data = *std::move(read);
  }
  // Empty input and none read alike.
  if (!data.empty()) process->mutable_stdin()->set_data(std::move(data));
  return absl::OkStatus();
}

// Empty if all went well.
std::string WriteOutput(const OutputFile& file,
                        const v1::OutputResult& output) {
  const std::string subject = absl::StrCat("output ", file.sandbox, ": ");
  switch (output.content_case()) {
    case v1::OutputResult::kData: {
      const absl::Status status =
          WriteLocalFile(file.local, output.data(), output.executable());
      return status.ok() ? "" : absl::StrCat(subject, status.message());
    }
    case v1::OutputResult::kError:
      return absl::StrCat(subject, FileErrorText(output.error()));
    case v1::OutputResult::kBlob:
    case v1::OutputResult::kTree:
      return absl::StrCat(
          subject, "the server kept it as a blob, which this command cannot ",
          "fetch");
    case v1::OutputResult::CONTENT_NOT_SET:
      break;
  }
  return absl::StrCat(subject, "the server sent no content");
}

}  // namespace

absl::Status ReadFiles(const RunOptions& options, v1::Process* process) {
  const absl::Status status = ReadInputs(options, process);
  if (!status.ok()) return status;
  for (const OutputFile& file : options.outputs) {
    process->add_outputs()->set_path(file.sandbox);
  }
  return FillStandardInput(options, process);
}

WrittenOutputs WriteOutputs(const RunOptions& options,
                            const v1::ProcessResult& result) {
  WrittenOutputs written;
  for (const OutputFile& file : options.outputs) {
    std::string message =
        absl::StrCat("output ", file.sandbox, ": the server did not send it");
    bool told = false;
    for (const v1::OutputResult& output : result.outputs()) {
      if (output.path() != file.sandbox) continue;
      message = WriteOutput(file, output);
      told = options.json && output.has_error();
    }
    if (message.empty()) continue;
    written.complete = false;
    if (!told) written.messages.push_back(std::move(message));
  }
  return written;
}

}  // namespace paddock
