#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/convert.h"
#include "worker/policy/seccomp_policy.h"

namespace paddock {
namespace {

void SetDuration(absl::Duration duration, google::protobuf::Duration* proto) {
  const int64_t nanos =
      std::max<int64_t>(0, absl::ToInt64Nanoseconds(duration));
  proto->set_seconds(nanos / 1'000'000'000);
  proto->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

v1::FileErrorReason ToReason(FileFault fault) {
  switch (fault) {
    case FileFault::kNone:
      return v1::FILE_ERROR_REASON_UNSPECIFIED;
    case FileFault::kNotFound:
      return v1::FILE_ERROR_REASON_NOT_FOUND;
    case FileFault::kNotRegular:
      return v1::FILE_ERROR_REASON_NOT_REGULAR;
    case FileFault::kSymlink:
      return v1::FILE_ERROR_REASON_SYMLINK;
    case FileFault::kTooLarge:
      return v1::FILE_ERROR_REASON_TOO_LARGE;
    case FileFault::kNoSpace:
      return v1::FILE_ERROR_REASON_NO_SPACE;
    case FileFault::kParentNotDirectory:
      return v1::FILE_ERROR_REASON_PARENT_NOT_DIRECTORY;
    case FileFault::kNotExecutable:
      return v1::FILE_ERROR_REASON_NOT_EXECUTABLE;
    case FileFault::kIo:
      return v1::FILE_ERROR_REASON_IO;
  }
  return v1::FILE_ERROR_REASON_UNSPECIFIED;
}

void SetFileError(const FileProblem& problem, v1::FileError* error) {
  error->set_path(problem.path);
  error->set_reason(ToReason(problem.fault));
  error->set_error_number(problem.error);
  error->set_message(problem.message);
}

void SetUsage(const UsageFigures& figures, v1::Usage* usage) {
  if (figures.cpu_time)
    SetDuration(*figures.cpu_time, usage->mutable_cpu_time());
  if (figures.user_time)
    SetDuration(*figures.user_time, usage->mutable_user_time());
  if (figures.system_time)
    SetDuration(*figures.system_time, usage->mutable_system_time());
  SetDuration(figures.wall_time, usage->mutable_wall_time());
  if (figures.peak_memory_bytes)
    usage->set_peak_memory_bytes(*figures.peak_memory_bytes);
  if (figures.file_memory_bytes)
    usage->set_file_memory_bytes(*figures.file_memory_bytes);
  if (figures.peak_processes)
    usage->set_peak_processes(*figures.peak_processes);
  if (figures.io_read_bytes) usage->set_io_read_bytes(*figures.io_read_bytes);
  if (figures.io_write_bytes)
    usage->set_io_write_bytes(*figures.io_write_bytes);
  if (figures.oom_kills) usage->set_oom_kills(*figures.oom_kills);
  if (figures.voluntary_switches)
    usage->set_voluntary_context_switches(*figures.voluntary_switches);
  if (figures.involuntary_switches)
    usage->set_involuntary_context_switches(*figures.involuntary_switches);
  if (figures.minor_faults) usage->set_minor_page_faults(*figures.minor_faults);
  if (figures.major_faults) usage->set_major_page_faults(*figures.major_faults);
}

// The program ended by itself. A full disk or a refused fork is its end's cause
// only where it did not end well.
v1::Outcome OutcomeOfExit(const RunReport& report, bool output_missing) {
  const int status = *report.wait_status;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return output_missing ? v1::OUTCOME_OUTPUT_ERROR : v1::OUTCOME_SUCCEEDED;
  }
  if (report.workspace_bytes_full || report.workspace_inodes_full) {
    return v1::OUTCOME_DISK_LIMIT_EXCEEDED;
  }
  if (report.usage.process_limit_hits.value_or(0) > 0) {
    return v1::OUTCOME_PROCESS_LIMIT_EXCEEDED;
  }
  return WIFEXITED(status) ? v1::OUTCOME_NONZERO_EXIT : v1::OUTCOME_SIGNALED;
}

v1::Outcome ToOutcome(const RunReport& report, bool output_missing) {
  switch (report.reason) {
    case EndReason::kExited:
      return OutcomeOfExit(report, output_missing);
    case EndReason::kCpuTime:
      return v1::OUTCOME_CPU_TIME_LIMIT_EXCEEDED;
    case EndReason::kWallTime:
      return v1::OUTCOME_WALL_TIME_LIMIT_EXCEEDED;
    case EndReason::kIdleTime:
      return v1::OUTCOME_IDLE_LIMIT_EXCEEDED;
    case EndReason::kMemory:
      return v1::OUTCOME_MEMORY_LIMIT_EXCEEDED;
    case EndReason::kOutput:
      return v1::OUTCOME_OUTPUT_LIMIT_EXCEEDED;
    case EndReason::kViolation:
      return v1::OUTCOME_POLICY_VIOLATION;
    case EndReason::kCancelled:
      return v1::OUTCOME_CANCELLED;
    case EndReason::kExecFailed:
      return v1::OUTCOME_EXEC_FAILED;
    case EndReason::kInputError:
      return v1::OUTCOME_INPUT_ERROR;
    case EndReason::kSandboxFailed:
      return v1::OUTCOME_INFRASTRUCTURE_ERROR;
  }
  return v1::OUTCOME_INFRASTRUCTURE_ERROR;
}

void AddLimitsHit(const RunSpec& spec, const RunReport& report,
                  v1::ProcessResult* result) {
  const ProgramLimits& limits = spec.limits;
  const UsageFigures& usage = report.usage;
  const auto add = [result](bool hit, v1::LimitKind kind) {
    if (hit) result->add_limits_hit(kind);
  };
  add(report.reason == EndReason::kCpuTime ||
          usage.cpu_time.value_or(absl::ZeroDuration()) >= limits.cpu_time,
      v1::LIMIT_KIND_CPU_TIME);
  add(report.reason == EndReason::kWallTime ||
          usage.wall_time >= limits.wall_time,
      v1::LIMIT_KIND_WALL_TIME);
  add(report.reason == EndReason::kIdleTime, v1::LIMIT_KIND_IDLE_TIME);
  add(report.reason == EndReason::kMemory, v1::LIMIT_KIND_MEMORY);
  add(usage.process_limit_hits.value_or(0) > 0, v1::LIMIT_KIND_PROCESSES);
  add(report.wait_status && WIFSIGNALED(*report.wait_status) &&
          WTERMSIG(*report.wait_status) == SIGXFSZ,
      v1::LIMIT_KIND_FILE_SIZE);
  add(report.workspace_bytes_full, v1::LIMIT_KIND_WORKSPACE_BYTES);
  add(report.workspace_inodes_full, v1::LIMIT_KIND_WORKSPACE_INODES);
  add(report.stdout_capture.written_bytes > limits.output_bytes ||
          report.stderr_capture.written_bytes > limits.output_bytes,
      v1::LIMIT_KIND_OUTPUT);
}

void SetCapture(Capture capture, v1::CapturedOutput* proto) {
  proto->set_written_bytes(capture.written_bytes);
  proto->set_truncated(capture.written_bytes >
                       static_cast<int64_t>(capture.kept.size()));
  proto->set_data(std::move(capture.kept));
}

void SetExit(const RunReport& report, v1::ProcessResult* result) {
  if (!report.wait_status) return;
  const int status = *report.wait_status;
  if (WIFEXITED(status)) result->set_exit_code(WEXITSTATUS(status));
  if (WIFSIGNALED(status)) result->set_term_signal(WTERMSIG(status));
}

// True if an output that is not optional is not there.
bool AddOutputs(RunReport* report, v1::ProcessResult* result) {
  bool missing = false;
  for (CollectedOutput& output : report->outputs) {
    if (output.missing_and_optional) continue;
    v1::OutputResult* proto = result->add_outputs();
    proto->set_path(output.path);
    proto->set_executable(output.executable);
    if (output.problem.fault == FileFault::kNone) {
      proto->set_data(std::move(output.data));
    } else {
      SetFileError(output.problem, proto->mutable_error());
      missing = true;
    }
  }
  return missing;
}

}  // namespace

v1::ProcessResult ToProcessResult(const RunSpec& spec, RunReport report) {
  v1::ProcessResult result;
  const bool output_missing = AddOutputs(&report, &result);
  result.set_outcome(ToOutcome(report, output_missing));
  result.set_message(report.message);
  SetDuration(report.prepare, result.mutable_phases()->mutable_prepare());
  SetDuration(report.usage.wall_time, result.mutable_phases()->mutable_run());
  SetDuration(report.collect, result.mutable_phases()->mutable_collect());
  for (const FileProblem& problem : report.input_problems) {
    SetFileError(problem, result.add_input_errors());
  }
  if (report.reason == EndReason::kInputError ||
      report.reason == EndReason::kSandboxFailed) {
    return result;
  }
  if (report.reason == EndReason::kExecFailed) {
    SetFileError(report.exec_problem, result.mutable_exec_error());
  } else {
    SetExit(report, &result);
    AddLimitsHit(spec, report, &result);
  }
  if (report.reason == EndReason::kViolation) {
    v1::PolicyViolation* violation = result.mutable_violation();
    violation->set_system_call(
        SystemCallName(report.violation.architecture, report.violation.number));
    violation->set_system_call_number(report.violation.number);
    violation->set_architecture(
        ArchitectureName(report.violation.architecture));
  }
  SetUsage(report.usage, result.mutable_usage());
  if (!spec.stdout_capture.discard) {
    SetCapture(std::move(report.stdout_capture), result.mutable_stdout());
  }
  if (!spec.stderr_capture.discard && !spec.stderr_to_stdout) {
    SetCapture(std::move(report.stderr_capture), result.mutable_stderr());
  }
  return result;
}

}  // namespace paddock
