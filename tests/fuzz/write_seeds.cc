// Writes the seeds of targets whose inputs are structs, by the code that makes
// them in the product where there is such.
//
//   fuzz_write_seeds plan|report DIRECTORY
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "worker/init/plan.h"
#include "worker/sandbox/program_plan.h"

namespace paddock {
namespace {

using init::Report;
using init::ReportKind;
using init::SetupStep;

void Write(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes << std::flush;
  if (!file) {
    perror(path.c_str());
    exit(1);
  }
}

void WritePlan(const std::string& path, const RunSpec& spec) {
  const absl::StatusOr<std::string> packet = EncodeProgramPlan(spec);
  if (!packet.ok()) {
    fprintf(stderr, "%s: %s\n", path.c_str(),
            packet.status().ToString().c_str());
    exit(1);
  }
  Write(path, *packet);
}

void WritePlans(const std::string& directory) {
  RunSpec spec;
  spec.argv = {"program"};
  spec.working_directory = "/work";
  spec.limits.open_files = 16;
  WritePlan(directory + "/1_least", spec);
  spec.argv = {"/usr/bin/env", "", "two words", "\xff"};
  spec.env = {"PATH=/usr/local/bin:/bin", "EMPTY=", "A=1"};
  spec.path = "/usr/local/bin:/bin";
  spec.working_directory = "/work/a/b";
  spec.stderr_to_stdout = true;
  WritePlan(directory + "/2_strings", spec);
  spec.stdin_data = "input";
  spec.stdout_capture.discard = true;
  spec.stderr_capture.discard = true;
  WritePlan(directory + "/3_flags", spec);
  for (int i = 0; i < 100; ++i) spec.argv.push_back(absl::StrCat(i));
  WritePlan(directory + "/4_many", spec);
}

// As report_fuzz.cc takes it: a first byte that is none of the report's.
void WriteReport(const std::string& path, char first, const Report& report) {
  Write(path, first + std::string(reinterpret_cast<const char*>(&report),
                                  sizeof(report)));
}

void WriteReports(const std::string& directory) {
  Report report = {};
  constexpr char kDirectories = 3, kListener = 1, kWithPid = 16;
  report.kind = ReportKind::kDirectories;
  WriteReport(directory + "/1_directories", kDirectories, report);
  report.kind = ReportKind::kInitReady;
  WriteReport(directory + "/2_init_ready", 0, report);
  report.kind = ReportKind::kNeedIdMaps;
  WriteReport(directory + "/4_need_id_maps", kWithPid, report);
  report.kind = ReportKind::kProgramReady;
  WriteReport(directory + "/5_program_ready", kListener, report);
  report.kind = ReportKind::kSetupFailure;
  report.step = SetupStep::kExec;
  report.error = ENOENT;
  WriteReport(directory + "/6_setup_failure", 0, report);
  report = {};
  report.kind = ReportKind::kProgramEnded;
  report.status = W_EXITCODE(7, 0);
  report.minor_faults = 1234;
  WriteReport(directory + "/3_exited", 0, report);
  report.status = W_EXITCODE(0, SIGSEGV);
  WriteReport(directory + "/3_signaled", 0, report);
}

}  // namespace
}  // namespace paddock

int main(int argc, char** argv) {
  const std::string what = argc == 3 ? argv[1] : "";
  if (what == "plan") {
    paddock::WritePlans(argv[2]);
  } else if (what == "report") {
    paddock::WriteReports(argv[2]);
  } else {
    fputs("usage: fuzz_write_seeds plan|report DIRECTORY\n", stderr);
    return 2;
  }
  return 0;
}
