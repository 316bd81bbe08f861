#include "client/cli/exit_code.h"

namespace paddock {
namespace {

// For endings of the program's own making.
int OwnEnding(const v1::ProcessResult& process) {
  switch (process.exit_case()) {
    case v1::ProcessResult::kExitCode:
      return process.exit_code();
    case v1::ProcessResult::kTermSignal:
      return kExitSignalBase + process.term_signal();
    case v1::ProcessResult::EXIT_NOT_SET:
      break;
  }
  return kExitTrouble;
}

// For an outcome that is not known here: one that a newer server sends. Nothing
// but a known success may end in 0.
int UnknownOutcome(const v1::ProcessResult& process) {
  const int code = OwnEnding(process);
  return code == 0 ? kExitTrouble : code;
}

}  // namespace

int ExitCodeOf(const v1::JobResult& result) {
  const v1::ProcessResult& process = result.process();
  switch (result.outcome()) {
    case v1::OUTCOME_SUCCEEDED:
    case v1::OUTCOME_NONZERO_EXIT:
    case v1::OUTCOME_SIGNALED:
    case v1::OUTCOME_DISK_LIMIT_EXCEEDED:
    case v1::OUTCOME_PROCESS_LIMIT_EXCEEDED:
      return OwnEnding(process);
    case v1::OUTCOME_CPU_TIME_LIMIT_EXCEEDED:
    case v1::OUTCOME_WALL_TIME_LIMIT_EXCEEDED:
    case v1::OUTCOME_IDLE_LIMIT_EXCEEDED:
    case v1::OUTCOME_JOB_TIMEOUT:
      return kExitTimeLimit;
    case v1::OUTCOME_MEMORY_LIMIT_EXCEEDED:
      return kExitMemoryLimit;
    case v1::OUTCOME_OUTPUT_LIMIT_EXCEEDED:
      return kExitOutputLimit;
    case v1::OUTCOME_POLICY_VIOLATION:
      return kExitPolicyViolation;
    case v1::OUTCOME_EXEC_FAILED:
      return process.exec_error().reason() == v1::FILE_ERROR_REASON_NOT_FOUND
                 ? kExitNotFound
                 : kExitNotExecutable;
    case v1::OUTCOME_UNSPECIFIED:
    case v1::OUTCOME_INPUT_ERROR:
    case v1::OUTCOME_OUTPUT_ERROR:
    case v1::OUTCOME_CHECK_FAILED:
    case v1::OUTCOME_CHECK_ERROR:
    case v1::OUTCOME_CANCELLED:
    case v1::OUTCOME_SKIPPED:
    case v1::OUTCOME_QUEUE_TIMEOUT:
    case v1::OUTCOME_INFRASTRUCTURE_ERROR:
      return kExitTrouble;
    default:
      return UnknownOutcome(process);
  }
}

}  // namespace paddock
