#ifndef PADDOCK_WORKER_SANDBOX_RUN_SPEC_H_
#define PADDOCK_WORKER_SANDBOX_RUN_SPEC_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "worker/init/setup_step.h"

namespace paddock {

// What a warm sandbox is built for. A request for another one gets a sandbox
// built for it on the spot.
struct SandboxKind {
  std::string image;
  std::string profile;
  bool loopback = false;

  bool operator==(const SandboxKind&) const = default;
};

// Checked and complete: every limit is set but those that are optional.
struct ProgramLimits {
  absl::Duration cpu_time;
  absl::Duration wall_time;
  std::optional<absl::Duration> idle_time;
  int64_t memory_bytes = 0;
  int32_t processes = 0;  // threads count
  int32_t open_files = 0;
  int64_t file_size_bytes = 0;
  int64_t workspace_bytes = 0;  // 0: /work is read-only
  int64_t workspace_inodes = 0;
  int64_t stack_bytes = 0;
  int64_t output_bytes = 0;  // kept of each stream
  double cpus = 1;
};

struct CaptureSpec {
  bool kill_on_overflow = false;
  bool discard = false;
};

struct InputFile {
  std::string path;       // as asked for
  std::string real_path;  // normalised, below a writable directory
  std::string data;
  bool executable = false;
  bool writable = false;  // belongs to the program
};

struct OutputFile {
  std::string path;       // as asked for
  std::string real_path;  // normalised
  int64_t limit_bytes = 0;
  bool optional = false;
};

// One run of one program.
struct RunSpec {
  SandboxKind kind;
  std::vector<std::string> argv;
  std::vector<std::string> env;   // "NAME=value"
  std::string path;               // where argv[0] without '/' is looked up
  std::string working_directory;  // absolute
  std::optional<std::string> stdin_data;
  CaptureSpec stdout_capture;
  CaptureSpec stderr_capture;
  bool stderr_to_stdout = false;
  std::vector<InputFile> inputs;
  std::vector<OutputFile> outputs;
  ProgramLimits limits;
  // Of captures and outputs that the response has room for: what it has none
  // for is not kept either, so that no limit of a program is memory of the
  // worker's.
  int64_t response_bytes = 64 << 20;
};

// How the run ended, in the order in which one wins over another.
enum class EndReason {
  kExited,  // by itself: look at wait_status
  kCpuTime,
  kWallTime,
  kIdleTime,
  kMemory,
  kOutput,
  kViolation,
  kCancelled,
  kExecFailed,
  kInputError,
  kSandboxFailed,
};

struct Capture {
  std::string kept;
  int64_t written_bytes = 0;
};

enum class FileFault {
  kNone,
  kNotFound,
  kNotRegular,
  kSymlink,
  kTooLarge,
  kNoSpace,
  kParentNotDirectory,
  kNotExecutable,
  kIo,
};

struct FileProblem {
  std::string path;
  FileFault fault = FileFault::kNone;
  int error = 0;  // errno, 0 if no call failed
  std::string message;
};

struct CollectedOutput {
  std::string path;
  std::string data;
  bool executable = false;
  bool missing_and_optional = false;
  FileProblem problem;  // fault kNone: collected
};

// From the kernel's accounting of the group. An unset field could not be read.
struct UsageFigures {
  std::optional<absl::Duration> cpu_time;
  std::optional<absl::Duration> user_time;
  std::optional<absl::Duration> system_time;
  absl::Duration wall_time;
  std::optional<int64_t> peak_memory_bytes;
  std::optional<int64_t> file_memory_bytes;
  std::optional<int32_t> peak_processes;
  std::optional<int64_t> io_read_bytes;
  std::optional<int64_t> io_write_bytes;
  // The same by init's report (init/plan.h), which knows fewer processes.
  int64_t waited_read_bytes = 0;
  int64_t waited_write_bytes = 0;
  std::optional<int32_t> oom_kills;
  // What the dead group is charged for still, the kernel's copies of files
  // aside.
  int64_t left_bytes = 0;
  std::optional<int64_t> process_limit_hits;
  std::optional<int64_t> voluntary_switches;
  std::optional<int64_t> involuntary_switches;
  std::optional<int64_t> minor_faults;
  std::optional<int64_t> major_faults;
};

struct Violation {
  int number = 0;
  uint32_t architecture = 0;  // AUDIT_ARCH_*
};

struct RunReport {
  EndReason reason = EndReason::kSandboxFailed;
  std::optional<int> wait_status;  // of the program, wait(2)
  UsageFigures usage;
  bool workspace_bytes_full = false;
  bool workspace_inodes_full = false;
  Capture stdout_capture;
  Capture stderr_capture;
  std::vector<CollectedOutput> outputs;
  std::vector<FileProblem> input_problems;
  FileProblem exec_problem;
  Violation violation;
  // kSandboxFailed: the step, and what happened, for the log.
  init::SetupStep failed_step = init::SetupStep::kNone;
  std::string message;
  absl::Duration prepare;  // from the request to the plan
  absl::Duration collect;  // from death to the answer
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_RUN_SPEC_H_
