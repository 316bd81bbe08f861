#ifndef PADDOCK_WORKER_SANDBOX_REPORT_READER_H_
#define PADDOCK_WORKER_SANDBOX_REPORT_READER_H_

#include <sys/types.h>

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/base/unique_fd.h"
#include "worker/init/plan.h"

namespace paddock {

// What init and the program process say is believed only as far as it makes
// sense: the one is in the sandbox, the other becomes the program.

// InvalidArgument for anything but one whole report of a known kind. In what
// passes, a kSetupFailure has a step of theirs and an errno; a kProgramEnded
// has the wait status of a process that ended, and counts of no less than 0.
absl::StatusOr<init::Report> ParseReport(absl::string_view packet);

struct ReceivedReport {
  init::Report report;
  std::vector<UniqueFd> descriptors;
  pid_t sender_pid = 0;  // as in Packet
};

// The next packet of the status socket or the plan socket, which has to be
// there: errors of ReceivePacket and ParseReport.
absl::StatusOr<ReceivedReport> ReceiveReport(int socket);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_REPORT_READER_H_
