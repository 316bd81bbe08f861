#include "worker/sandbox/report_reader.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "worker/base/socket.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

using init::Report;
using init::ReportKind;
using init::SetupStep;

constexpr int32_t kMaxErrno = 4095;  // of the kernel: include/linux/err.h

bool IsSetupFailure(const Report& report) {
  return report.step >= SetupStep::kCloseDescriptors &&
         report.step <= SetupStep::kLast && report.error > 0 &&
         report.error <= kMaxErrno;
}

bool IsEnd(const Report& report) {
  const int status = report.status;
  const bool ended =
      WIFEXITED(status) || (WIFSIGNALED(status) && WTERMSIG(status) < NSIG);
  return status >= 0 && status <= 0xffff && ended &&
         std::min({report.voluntary_switches, report.involuntary_switches,
                   report.minor_faults, report.major_faults,
                   report.io_read_bytes, report.io_write_bytes,
                   report.end_nanos}) >= 0;
}

bool IsInOrder(const Report& report) {
  switch (report.kind) {  // no default: -Wswitch finds a forgotten kind
    case ReportKind::kDirectories:
    case ReportKind::kInitReady:
    case ReportKind::kNeedIdMaps:
    case ReportKind::kProgramReady:
      return true;
    case ReportKind::kProgramEnded:
      return IsEnd(report);
    case ReportKind::kSetupFailure:
      return IsSetupFailure(report);
  }
  return false;
}

}  // namespace

absl::StatusOr<Report> ParseReport(absl::string_view packet) {
  Report report;
  if (packet.size() != sizeof(report)) {
    return absl::InvalidArgumentError("a report of the wrong size");
  }
  memcpy(&report, packet.data(), sizeof(report));
  if (!IsInOrder(report)) {
    return absl::InvalidArgumentError("a report of what cannot be");
  }
  return report;
}

absl::StatusOr<ReceivedReport> ReceiveReport(int socket) {
  ASSIGN_OR_RETURN(Packet packet, ReceivePacket(socket, sizeof(Report) + 1));
  ReceivedReport received;
  ASSIGN_OR_RETURN(received.report, ParseReport(packet.data));
  received.descriptors = std::move(packet.descriptors);
  received.sender_pid = packet.sender_pid;
  return received;
}

}  // namespace paddock
