#ifndef PADDOCK_CLIENT_CLI_RUN_REQUEST_H_
#define PADDOCK_CLIENT_CLI_RUN_REQUEST_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "paddock/v1/process.pb.h"
#include "paddock/v1/result.pb.h"

namespace paddock {

// A file to send: `local` becomes `sandbox`.
struct InputFile {
  std::string sandbox;
  std::string local;
};

// A file to fetch: `sandbox` becomes `local`.
struct OutputFile {
  std::string sandbox;
  std::string local;
};

// What the flags of `paddock run` say.
struct RunOptions {
  std::string server;
  // Everything that needs no file: argv, image, env, limits and so on.
  v1::Process process;
  std::vector<InputFile> inputs;
  std::vector<OutputFile> outputs;
  // A path; empty: our standard input, unless it is a terminal.
  std::string stdin_file;
  absl::Duration deadline = absl::InfiniteDuration();
  bool json = false;
  bool quiet = false;
};

// Adds to `process` the bytes of `options`' inputs and standard input, and its
// outputs. Reads standard input to its end.
absl::Status ReadFiles(const RunOptions& options, v1::Process* process);

// What became of the outputs.
struct WrittenOutputs {
  // Each came and was written.
  bool complete = true;
  // For people: one for each that did not come or could not be written, but for
  // those of which the response, where it is printed itself, says why.
  std::vector<std::string> messages;
};

// Writes the outputs that came to where `options` wants them.
WrittenOutputs WriteOutputs(const RunOptions& options,
                            const v1::ProcessResult& result);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_RUN_REQUEST_H_
