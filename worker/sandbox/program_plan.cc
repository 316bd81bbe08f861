#include "worker/sandbox/program_plan.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/base/status_macros.h"
#include "worker/init/plan.h"

namespace paddock {
namespace {

struct WantedLimit {
  const char* field;  // null: ours, lowered where the host allows less
  int resource;
  uint64_t soft;
  uint64_t hard;
};

std::vector<WantedLimit> WantedLimits(const ProgramLimits& limits) {
  // The group's CPU time is what counts. This is the second line, for one
  // process alone, late enough never to come first.
  const uint64_t cpu_seconds =
      static_cast<uint64_t>(absl::ToInt64Seconds(limits.cpu_time)) + 3;
  const uint64_t files = static_cast<uint64_t>(limits.open_files);
  const uint64_t file_size = static_cast<uint64_t>(limits.file_size_bytes);
  const uint64_t stack = static_cast<uint64_t>(limits.stack_bytes);
  // The pids cgroup is what counts, and the only one whose refusals are seen.
  // Of the program's user in its own user namespace the kernel counts no one
  // else; but a process that is refused by the cgroup counts until then, and
  // each that lives can make one at a time.
  const uint64_t processes = 2 * static_cast<uint64_t>(limits.processes);
  return {
      {"limits.file_size_bytes", RLIMIT_FSIZE, file_size, file_size},
      {"limits.open_files", RLIMIT_NOFILE, files, files},
      {"limits.stack_bytes", RLIMIT_STACK, stack, stack},
      {nullptr, RLIMIT_NPROC, processes, processes},
      {nullptr, RLIMIT_CPU, cpu_seconds, cpu_seconds},
      {nullptr, RLIMIT_MEMLOCK, 64 << 10, 64 << 10},
      {nullptr, RLIMIT_MSGQUEUE, 800 << 10, 800 << 10},
      {nullptr, RLIMIT_SIGPENDING, 1024, 1024},
      {nullptr, RLIMIT_RTPRIO, 0, 0},
      {nullptr, RLIMIT_NICE, 0, 0},
  };
}

// As it was at first: nobody but us could change it.
rlim_t OwnHardLimit(int resource) {
  static const std::vector<rlim_t> limits = [] {
    std::vector<rlim_t> hard(RLIM_NLIMITS, 0);
    for (int i = 0; i < RLIM_NLIMITS; ++i) {
      rlimit limit;
      if (getrlimit(static_cast<__rlimit_resource>(i), &limit) == 0) {
        hard[i] = limit.rlim_max;
      }
    }
    return hard;
  }();
  return limits[resource];
}

absl::Status AddLimits(const ProgramLimits& limits, init::ProgramPlan* plan) {
  for (const WantedLimit& wanted : WantedLimits(limits)) {
    const rlim_t own = OwnHardLimit(wanted.resource);
    init::PlanRlimit& limit = plan->rlimits[plan->rlimit_count++];
    limit.resource = wanted.resource;
    limit.soft = std::min<uint64_t>(wanted.soft, own);
    limit.hard = std::min<uint64_t>(wanted.hard, own);
    if (wanted.field != nullptr && limit.hard != wanted.hard) {
      return absl::FailedPreconditionError(
          absl::StrCat(wanted.field, ": the service itself is limited to ",
                       static_cast<uint64_t>(own)));
    }
  }
  return absl::OkStatus();
}

void AppendString(absl::string_view value, std::string* packet) {
  packet->append(value.data(), value.size());
  packet->push_back('\0');
}

}  // namespace

absl::StatusOr<std::string> EncodeProgramPlan(const RunSpec& spec) {
  init::ProgramPlan plan = {};
  plan.magic = init::kPlanMagic;
  plan.argc = spec.argv.size();
  plan.envc = spec.env.size();
  if (spec.stdin_data.has_value()) plan.flags |= init::kHasStdin;
  if (spec.stderr_to_stdout) plan.flags |= init::kStderrToStdout;
  if (spec.stdout_capture.discard) plan.flags |= init::kDiscardStdout;
  if (spec.stderr_capture.discard) plan.flags |= init::kDiscardStderr;
  RETURN_IF_ERROR(AddLimits(spec.limits, &plan));

  std::string packet(sizeof(plan), '\0');
  // Reserved at once: growing would leave copies of secrets behind.
  packet.reserve(init::kMaxPlanPacket);
  plan.argv_offset = packet.size();
  for (const std::string& argument : spec.argv) AppendString(argument, &packet);
  plan.env_offset = packet.size();
  for (const std::string& entry : spec.env) AppendString(entry, &packet);
  plan.directory_offset = packet.size();
  AppendString(spec.working_directory, &packet);
  plan.path_offset = packet.size();
  AppendString(spec.path, &packet);
  plan.size = packet.size();
  if (packet.size() > init::kMaxPlanPacket ||
      std::max(spec.argv.size(), spec.env.size()) > init::kMaxPlanStrings) {
    return absl::ResourceExhaustedError("argv and env are too large");
  }
  memcpy(packet.data(), &plan, sizeof(plan));
  return packet;
}

FileFault ExecFaultOf(int error) {
  switch (error) {
    case ENOENT:
      return FileFault::kNotFound;
    case ENOTDIR:
      return FileFault::kParentNotDirectory;
    case ELOOP:
      return FileFault::kSymlink;
    default:
      return FileFault::kNotExecutable;
  }
}

}  // namespace paddock
