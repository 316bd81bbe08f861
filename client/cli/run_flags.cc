#include "client/cli/run_flags.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/cli/flag_values.h"
#include "client/cli/options.h"

namespace paddock {
namespace {

constexpr char kFooter[] = R"(
PROGRAM without '/' is looked up in PATH of the sandbox; else it is absolute or
relative to the working directory there (/work unless --workdir is given).
DURATIONs: 2s, 500ms, 1m30s. SIZEs: bytes, or 64K, 64M, 1G, 1GiB, all powers of
1024. Limits that are not given are the server's: see `paddock doctor`.

Standard input is read to its end and passed on, unless it is a terminal;
--stdin /dev/null passes on nothing. Standard output and error of the program
come out unchanged once it has ended, then one line with the verdict on standard
error. Ctrl-C kills the job.

Exit codes: the program's own; 128+N if signal N ended it; 124 CPU, wall or idle
time limit; 137 memory limit; 153 output limit; 159 policy violation;
125 trouble of this command or the service, or an output that is missing;
126 PROGRAM cannot be executed; 127 PROGRAM not found; 141 PROGRAM succeeded, but
nobody reads what it wrote (SIGPIPE); 128+N also if signal N interrupts this
command. --json tells them apart.

Examples:
  paddock run --cpu-time 2s --memory 64M -- python3 -c 'print(42)'
  paddock run --file main.cc=main.cc --out main -- g++ -O2 -o main main.cc
  paddock run --file main=main --stdin 1.in --network none -- ./main)";

absl::StatusOr<std::string> Verbatim(const std::string& text) { return text; }

absl::StatusOr<OutputFile> ParseOutput(const std::string& text) {
  if (!absl::StrContains(text, '=')) {
    const size_t slash = text.rfind('/');
    const std::string name =
        slash == std::string::npos ? text : text.substr(slash + 1);
    if (name.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", text, "' does not end in the name of a file"));
    }
    return OutputFile{text, name};
  }
  auto pair = ParsePair(text);
  if (!pair.ok()) return pair.status();
  if (pair->second.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' has nothing behind the '='"));
  }
  return OutputFile{pair->first, pair->second};
}

absl::StatusOr<InputFile> ParseInput(const std::string& text) {
  auto pair = ParsePair(text);
  if (!pair.ok()) return pair.status();
  if (pair->second.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' has nothing behind the '='"));
  }
  return InputFile{pair->first, pair->second};
}

absl::StatusOr<v1::Network> ParseNetwork(const std::string& text) {
  if (text == "none") return v1::NETWORK_NONE;
  if (text == "loopback") return v1::NETWORK_LOOPBACK;
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is neither none nor loopback"));
}

absl::StatusOr<v1::OverflowPolicy> ParseOverflow(const std::string& text) {
  if (text == "truncate") return v1::OVERFLOW_POLICY_TRUNCATE;
  if (text == "kill") return v1::OVERFLOW_POLICY_KILL;
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is neither truncate nor kill"));
}

absl::StatusOr<int64_t> ParseInt32(const std::string& text) {
  return ParseCount(text, 0, std::numeric_limits<int32_t>::max());
}

absl::StatusOr<int64_t> ParseInt64(const std::string& text) {
  return ParseCount(text, 0, std::numeric_limits<int64_t>::max());
}

absl::StatusOr<double> ParseCpus(const std::string& text) {
  double cpus;
  if (absl::SimpleAtod(text, &cpus)) return cpus;
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is not a number, as 0.5 or 2"));
}

void AddTimeOptions(CLI::App* command, v1::Limits* limits) {
  AddParsedOption(command, "--cpu-time", "DURATION",
                  "CPU time, all processes together", ParseDuration,
                  [limits](absl::Duration value) {
                    *limits->mutable_cpu_time() = ToProto(value);
                  });
  AddParsedOption(command, "--wall-time", "DURATION", "Real time",
                  ParseDuration, [limits](absl::Duration value) {
                    *limits->mutable_wall_time() = ToProto(value);
                  });
  AddParsedOption(command, "--idle-time", "DURATION",
                  "Real time without using CPU", ParseDuration,
                  [limits](absl::Duration value) {
                    *limits->mutable_idle_time() = ToProto(value);
                  });
}

void AddLimitOptions(CLI::App* command, v1::Limits* limits) {
  AddTimeOptions(command, limits);
  const auto size = [command](const char* name, const char* description,
                              auto set) {
    AddParsedOption(command, name, "SIZE", description, ParseSize, set);
  };
  const auto count = [command](const char* name, const char* description,
                               auto parse, auto set) {
    AddParsedOption(command, name, "N", description, parse, set);
  };
  size("--memory", "Memory, all processes together, without swap",
       [limits](int64_t value) { limits->set_memory_bytes(value); });
  count("--processes", "Processes and threads at a time", ParseInt32,
        [limits](int64_t value) { limits->set_processes(value); });
  count("--open-files", "Open files of each process", ParseInt32,
        [limits](int64_t value) { limits->set_open_files(value); });
  size("--file-size", "Largest file that can be written",
       [limits](int64_t value) { limits->set_file_size_bytes(value); });
  size("--workspace-size", "Bytes in /work; 0: read only",
       [limits](int64_t value) { limits->set_workspace_bytes(value); });
  count("--workspace-inodes", "Files and directories in /work", ParseInt64,
        [limits](int64_t value) { limits->set_workspace_inodes(value); });
  size("--stack", "Main stack of each process",
       [limits](int64_t value) { limits->set_stack_bytes(value); });
  size("--output-limit", "Bytes kept of stdout and of stderr",
       [limits](int64_t value) { limits->set_output_bytes(value); });
  count("--cpus", "CPUs at a time, as 0.5 or 2", ParseCpus,
        [limits](double value) { limits->set_cpus(value); });
}

void AddSandboxOptions(CLI::App* command, v1::Process* process) {
  command
      ->add_option_function<std::string>(
          "--image",
          [process](const std::string& name) { process->set_image(name); },
          "Root file system to run in (default: the server's)")
      ->type_name("NAME");
  command
      ->add_option_function<std::string>(
          "--profile",
          [process](const std::string& name) { process->set_profile(name); },
          "Profile of the sandbox (default: default, the strictest)")
      ->type_name("NAME");
  AddParsedOption(command, "--on-overflow", "truncate|kill",
                  "What passing --output-limit does (default: truncate)",
                  ParseOverflow, [process](v1::OverflowPolicy policy) {
                    process->mutable_stdout()->set_on_overflow(policy);
                    process->mutable_stderr()->set_on_overflow(policy);
                  });
  AddParsedOption(
      command, "--network", "none|loopback",
      "Network of the program (default: none)", ParseNetwork,
      [process](v1::Network network) { process->set_network(network); });
  AddRepeatedOption(command, "--env", "K=V",
                    "Environment variable; may be given again", ParsePair,
                    [process](std::pair<std::string, std::string> pair) {
                      (*process->mutable_env())[pair.first] = pair.second;
                    });
  command
      ->add_option_function<std::string>(
          "--workdir",
          [process](const std::string& path) {
            process->set_working_directory(path);
          },
          "Working directory (default: /work)")
      ->type_name("DIR");
}

void AddFileOptions(CLI::App* command, RunOptions* options) {
  AddRepeatedOption(command, "--file", "DST=SRC",
                    "Put local file SRC at DST, relative to /work, executable\n"
                    "if SRC is; may be given again",
                    ParseInput, [options](InputFile file) {
                      options->inputs.push_back(std::move(file));
                    });
  AddRepeatedOption(
      command, "--out", "SRC[=DST]",
      "Fetch file SRC, relative to /work, to local DST (default:\n"
      "its name, here); may be given again",
      ParseOutput, [options](OutputFile file) {
        options->outputs.push_back(std::move(file));
      });
  AddParsedOption(
      command, "--stdin", "FILE", "Standard input of the program", Verbatim,
      [options](std::string path) { options->stdin_file = std::move(path); });
  AddParsedOption(
      command, "--deadline", "DURATION",
      "Give up and kill the job after this, waiting included; exit\n"
      "code 125",
      ParseDuration,
      [options](absl::Duration value) { options->deadline = value; });
  command->add_flag("--json", options->json,
                    "Print the whole response as JSON and nothing else");
  command->add_flag("--quiet", options->quiet,
                    "Print no verdict on a program that ran");
}

// CLI11 knows nothing of the words it does not parse.
class RunFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: paddock run [OPTIONS] -- PROGRAM [ARGUMENTS]\n";
  }
};

}  // namespace

void AddRunFlags(CLI::App* command, RunOptions* options) {
  command->formatter(std::make_shared<RunFormatter>());
  command->footer(kFooter);
  command->prefix_command();
  AddServerOption(command, &options->server);
  AddLimitOptions(command, options->process.mutable_limits());
  AddSandboxOptions(command, &options->process);
  AddFileOptions(command, options);
}

absl::Status SetArguments(std::vector<std::string> before,
                          const std::optional<std::vector<std::string>>& after,
                          v1::Process* process) {
  if (!before.empty() && absl::StartsWith(before[0], "-")) {
    return absl::InvalidArgumentError(
        absl::StrCat("unknown option ", before[0], "; see paddock run --help"));
  }
  if (before.empty() && (!after || after->empty())) {
    return absl::InvalidArgumentError(
        "no program given: paddock run [OPTIONS] -- PROGRAM [ARGUMENTS]");
  }
  // With words before it, "--" is one of the program's own.
  if (!before.empty() && after) before.push_back("--");
  for (std::string& word : before) process->add_argv(std::move(word));
  if (after) {
    for (const std::string& word : *after) process->add_argv(word);
  }
  return absl::OkStatus();
}

}  // namespace paddock
