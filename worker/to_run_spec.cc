#include <cstring>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/base/status_macros.h"
#include "worker/convert.h"
#include "worker/wire/process_check.h"

namespace paddock {
namespace {

// Of an output whose request names no limit.
constexpr int64_t kDefaultOutputLimitBytes = 16 << 20;

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

absl::StatusOr<ProgramLimits> ToLimits(const v1::Limits& limits) {
  if (!limits.has_cpu_time() || !limits.has_wall_time() ||
      !limits.has_memory_bytes() || !limits.has_processes() ||
      !limits.has_open_files() || !limits.has_file_size_bytes() ||
      !limits.has_workspace_bytes() || !limits.has_workspace_inodes() ||
      !limits.has_stack_bytes() || !limits.has_output_bytes() ||
      !limits.has_cpus()) {
    return absl::InvalidArgumentError("process.limits is not complete");
  }
  ProgramLimits result;
  result.cpu_time = ToDuration(limits.cpu_time());
  result.wall_time = ToDuration(limits.wall_time());
  if (limits.has_idle_time()) result.idle_time = ToDuration(limits.idle_time());
  result.memory_bytes = limits.memory_bytes();
  result.processes = limits.processes();
  result.open_files = limits.open_files();
  result.file_size_bytes = limits.file_size_bytes();
  result.workspace_bytes = limits.workspace_bytes();
  result.workspace_inodes = limits.workspace_inodes();
  result.stack_bytes = limits.stack_bytes();
  result.output_bytes = limits.output_bytes();
  result.cpus = limits.cpus();
  return result;
}

CaptureSpec ToCapture(const v1::Capture& capture) {
  CaptureSpec spec;
  spec.discard = capture.discard();
  spec.kill_on_overflow =
      capture.on_overflow() == v1::OVERFLOW_POLICY_KILL && !spec.discard;
  return spec;
}

const std::string& SourceBytes(const v1::Source& source) {
  return source.has_text() ? source.text() : source.data();
}

// By reference: a copy of a value would have to be wiped too.
void FillEnvironment(const v1::Process& process, RunSpec* spec) {
  std::map<std::string_view, std::string_view> env(process.env().begin(),
                                                   process.env().end());
  for (const auto& [name, value] : process.secret_env()) env[name] = value;
  spec->env.reserve(env.size());
  for (const auto& [name, value] : env) {
    std::string& entry = spec->env.emplace_back();
    entry.reserve(name.size() + value.size() + 1);
    entry.append(name).append("=").append(value);
  }
  if (const auto path = env.find("PATH"); path != env.end()) {
    spec->path = path->second;
  }
}

void Wipe(std::string* value) { explicit_bzero(value->data(), value->size()); }

void FillFiles(const v1::Process& process, RunSpec* spec) {
  for (const v1::Input& input : process.inputs()) {
    spec->inputs.push_back({input.path(), NormalizePath(input.path()),
                            SourceBytes(input.source()), input.executable(),
                            input.writable()});
  }
  for (const v1::Output& output : process.outputs()) {
    spec->outputs.push_back({output.path(), NormalizePath(output.path()),
                             output.has_limit_bytes()
                                 ? output.limit_bytes()
                                 : kDefaultOutputLimitBytes,
                             output.optional()});
  }
}

}  // namespace

void WipeEnvironment(v1::Process* process, RunSpec* spec) {
  for (auto& [name, value] : *process->mutable_env()) Wipe(&value);
  for (auto& [name, value] : *process->mutable_secret_env()) Wipe(&value);
  for (std::string& entry : spec->env) Wipe(&entry);
}

absl::StatusOr<RunSpec> ToRunSpec(const v1::Process& process,
                                  const v1::Limits& max) {
  std::vector<FieldViolation> violations;
  std::vector<Unimplemented> unimplemented;
  CheckProcess("process", process, max, &violations, &unimplemented);
  if (!violations.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(violations[0].field, ": ", violations[0].description));
  }
  if (!unimplemented.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(unimplemented[0].field, " is not built"));
  }
  RunSpec spec;
  ASSIGN_OR_RETURN(spec.limits, ToLimits(process.limits()));
  spec.kind.image = process.image();
  spec.kind.profile = process.profile();
  spec.kind.loopback = process.network() == v1::NETWORK_LOOPBACK;
  spec.argv.assign(process.argv().begin(), process.argv().end());
  FillEnvironment(process, &spec);
  spec.working_directory = process.working_directory().empty()
                               ? "/work"
                               : NormalizePath(process.working_directory());
  if (process.stdin().kind_case() != v1::Source::KIND_NOT_SET) {
    spec.stdin_data = SourceBytes(process.stdin());
  }
  spec.stdout_capture = ToCapture(process.stdout());
  spec.stderr_capture = ToCapture(process.stderr());
  spec.stderr_to_stdout = process.stderr_to_stdout();
  FillFiles(process, &spec);
  return spec;
}

}  // namespace paddock
