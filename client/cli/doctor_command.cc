#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/cli/commands.h"
#include "client/cli/doctor_table.h"
#include "client/cli/exit_code.h"
#include "client/cli/host_check.h"
#include "client/cli/local_files.h"
#include "client/cli/options.h"
#include "client/cli/report.h"
#include "client/paddock_client.h"

namespace paddock {
namespace {

constexpr char kFooter[] = R"(
Asks the server for its limits and for what enforces each limit and layer of its
sandboxes. If no server answers, looks at this host instead, by reading /proc
and /sys only, and says what a server would miss.

Exit codes: 0 if every limit and layer is enforced; 1 if one is not, or only by
a weaker mechanism; 125 if no server answers.)";

constexpr int kExitNotEnforced = 1;
constexpr absl::Duration kTimeout = absl::Seconds(10);

int Print(const std::string& text, int code) {
  const absl::Status status = WriteStandardStream(STDOUT_FILENO, text);
  if (status.ok()) return code;
  PrintError(status.message());
  return kExitTrouble;
}

const char* StateWord(HostState state) {
  switch (state) {
    case HostState::kOk:
      return "ok";
    case HostState::kMissing:
      return "MISSING";
    case HostState::kOptional:
      return "optional";
    case HostState::kUnknown:
      return "unknown";
  }
  return "unknown";
}

// What to say about the host when no server answers.
std::string HostReport() {
  std::vector<std::vector<std::string>> rows;
  bool missing = false;
  for (const HostFinding& finding : CheckHost("")) {
    missing = missing || finding.state == HostState::kMissing;
    rows.push_back({absl::StrCat("  ", StateWord(finding.state)), finding.what,
                    finding.detail});
  }
  return absl::StrCat(
      "No server answers. This host, if it is the one to run it:\n",
      FormatTable(rows), "\n",
      missing ? "Once nothing is MISSING, start" : "Start",
      " the service as root, and ask again:\n  paddockd\n  paddock doctor\n");
}

int Doctor(const std::string& flag) {
  const std::string server = ResolveServer(flag);
  PaddockClient client(server);
  const absl::StatusOr<v1::GetServerInfoResponse> info =
      client.GetServerInfo({kTimeout});
  if (!info.ok()) {
    PrintError(absl::StrCat("asking ", server, ": ", info.status().message()));
    // Anything but these came from a server that is there.
    const bool unreachable = absl::IsUnavailable(info.status()) ||
                             absl::IsDeadlineExceeded(info.status());
    return unreachable ? Print(HostReport(), kExitTrouble) : kExitTrouble;
  }
  const absl::StatusOr<std::vector<v1::Worker>> workers =
      client.ListWorkers({kTimeout});
  if (!workers.ok()) {
    PrintError(absl::StrCat("asking ", server,
                            " for its workers: ", workers.status().message()));
    return kExitTrouble;
  }
  const ServerReport report =
      MakeServerReport(server, *info, *workers, absl::Now());
  return Print(report.text, report.weak.empty() ? 0 : kExitNotEnforced);
}

}  // namespace

Subcommand AddDoctorCommand(CLI::App* app) {
  CLI::App* command = app->add_subcommand(
      "doctor", "Show limits, workers and what enforces what; find trouble");
  command->footer(kFooter);
  const auto server = std::make_shared<std::string>();
  AddServerOption(command, server.get());
  return {command, [server] { return Doctor(*server); }};
}

}  // namespace paddock
