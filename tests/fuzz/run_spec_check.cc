#include "tests/fuzz/run_spec_check.h"

#include <string>

#include "server/config/defaults.h"
#include "server/jobs/duration.h"
#include "tests/fuzz/fuzz_check.h"
#include "worker/wire/process_check.h"

namespace paddock::fuzz {
namespace {

bool HasNul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

void ExpectLimits(const ProgramLimits& limits, const v1::Limits& max) {
  FUZZ_CHECK(limits.cpu_time > absl::ZeroDuration() &&
             limits.cpu_time <= FromProto(max.cpu_time()));
  FUZZ_CHECK(limits.wall_time > absl::ZeroDuration() &&
             limits.wall_time <= FromProto(max.wall_time()));
  FUZZ_CHECK(!limits.idle_time || *limits.idle_time > absl::ZeroDuration());
  FUZZ_CHECK(limits.memory_bytes > 0 &&
             limits.memory_bytes <= max.memory_bytes());
  FUZZ_CHECK(limits.processes > 0 && limits.processes <= max.processes());
  FUZZ_CHECK(limits.open_files > 3 && limits.open_files <= max.open_files());
  FUZZ_CHECK(limits.file_size_bytes >= 0 &&
             limits.file_size_bytes <= max.file_size_bytes());
  FUZZ_CHECK(limits.workspace_bytes >= 0 &&
             limits.workspace_bytes <= max.workspace_bytes());
  FUZZ_CHECK(limits.workspace_inodes > 0 &&
             limits.workspace_inodes <= max.workspace_inodes());
  FUZZ_CHECK(limits.stack_bytes > 0 && limits.stack_bytes <= max.stack_bytes());
  FUZZ_CHECK(limits.output_bytes >= 0 &&
             limits.output_bytes <= max.output_bytes());
  FUZZ_CHECK(limits.cpus > 0 && limits.cpus <= max.cpus());
}

}  // namespace

const config::v1::Config& HostConfig() {
  static const config::v1::Config* const config = [] {
    const HostFacts host = {
        .cpus = 2, .memory_bytes = int64_t{8} << 30, .open_files = 65536};
    auto* made = new config::v1::Config(DefaultConfig(host));
    FillUnset(host, made);
    return made;
  }();
  return *config;
}

void ExpectHarmless(const RunSpec& spec, const v1::Limits& max) {
  ExpectLimits(spec.limits, max);
  FUZZ_CHECK(!spec.argv.empty() && !spec.argv[0].empty());
  size_t bytes = 0;
  for (const std::string& argument : spec.argv) {
    FUZZ_CHECK(!HasNul(argument));
    bytes += argument.size() + 1;
  }
  for (const std::string& entry : spec.env) {
    FUZZ_CHECK(!HasNul(entry));
    const size_t equals = entry.find('=');
    FUZZ_CHECK(equals != std::string::npos && equals > 0);
    bytes += entry.size() + 1;
  }
  FUZZ_CHECK(bytes <= kMaxPlanBytes);
  FUZZ_CHECK(NormalizePath(spec.working_directory) == spec.working_directory);
  for (const InputFile& input : spec.inputs) {
    FUZZ_CHECK(NormalizePath(input.real_path) == input.real_path);
    FUZZ_CHECK(IsBelowWritableDirectory(input.real_path));
  }
  for (const OutputFile& output : spec.outputs) {
    FUZZ_CHECK(NormalizePath(output.real_path) == output.real_path);
    FUZZ_CHECK(IsBelowWritableDirectory(output.real_path));
    FUZZ_CHECK(output.limit_bytes >= 0);
  }
}

}  // namespace paddock::fuzz
