// A report of init or of the program process, as the worker takes it from the
// socket, and the result that a client gets of it. The first byte of the input
// says what comes with the packet.
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_check.h"
#include "worker/base/socket.h"
#include "worker/convert.h"
#include "worker/sandbox/report_reader.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace paddock {
namespace {

using init::Report;
using init::ReportKind;
using init::SetupStep;

constexpr int kDescriptors = 7, kWithPid = 16;  // of the first byte

void ExpectStep(const Report& report) {
  const std::string name = SetupStepName(report.step);
  FUZZ_CHECK(name != "unknown" && name != "none");
  FUZZ_CHECK(report.error > 0 && report.error < 4096);
}

void ExpectEnd(const Report& report) {
  RunReport run;
  run.reason = EndReason::kExited;
  run.wait_status = report.status;
  run.usage.minor_faults = report.minor_faults;
  run.usage.major_faults = report.major_faults;
  run.usage.voluntary_switches = report.voluntary_switches;
  run.usage.involuntary_switches = report.involuntary_switches;
  const v1::ProcessResult result = ToProcessResult({}, std::move(run));
  const bool exited = result.has_exit_code();
  FUZZ_CHECK(exited != result.has_term_signal());
  FUZZ_CHECK(!exited || (result.exit_code() >= 0 && result.exit_code() < 256));
  FUZZ_CHECK(exited || (result.term_signal() > 0 && result.term_signal() < 65));
  const auto& usage = result.usage();
  FUZZ_CHECK(usage.minor_page_faults() >= 0 && usage.major_page_faults() >= 0);
  FUZZ_CHECK(usage.voluntary_context_switches() >= 0 &&
             usage.involuntary_context_switches() >= 0);
}

void ExpectInOrder(const ReceivedReport& received, const std::string& packet) {
  FUZZ_CHECK(packet.size() == sizeof(Report));
  FUZZ_CHECK(memcmp(&received.report, packet.data(), packet.size()) == 0);
  FUZZ_CHECK(received.report.kind >= ReportKind::kDirectories &&
             received.report.kind <= ReportKind::kSetupFailure);
  if (received.report.kind == ReportKind::kSetupFailure) {
    ExpectStep(received.report);
  } else if (received.report.kind == ReportKind::kProgramEnded) {
    ExpectEnd(received.report);
  }
}

}  // namespace
}  // namespace paddock

// Most inputs are as long as a report, of a kind and a step that are near.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size,
                                          size_t max_size, unsigned seed) {
  using paddock::init::Report;
  size = LLVMFuzzerMutate(data, size, max_size);
  constexpr size_t kWhole = 1 + sizeof(Report);
  if (seed % 8 == 0 || max_size < kWhole) return size;
  if (size < kWhole) memset(data + size, 0, kWhole - size);
  data[1] %= 8;
  data[1 + offsetof(Report, step)] %= 64;
  if (seed % 4 != 0) {
    memset(data + 2, 0, sizeof(Report::kind) - 1);
    memset(data + 2 + offsetof(Report, step), 0, sizeof(Report::step) - 1);
    memset(data + 3 + offsetof(Report, status), 0, sizeof(Report::status) - 2);
  }
  return kWhole;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace paddock;
  if (size == 0) return 0;
  const size_t descriptors = data[0] & kDescriptors;
  const int with_pid = (data[0] & kWithPid) != 0;
  const std::string packet(reinterpret_cast<const char*>(data) + 1, size - 1);
  absl::StatusOr<SocketPair> sockets = MakeSocketPair();
  FUZZ_CHECK(sockets.ok());
  const int worker = sockets->first.get();
  FUZZ_CHECK(setsockopt(worker, SOL_SOCKET, SO_PASSCRED, &with_pid,
                        sizeof(with_pid)) == 0);
  const std::vector<int> fds(descriptors, STDERR_FILENO);
  FUZZ_CHECK(SendPacket(sockets->second.get(), packet, fds).ok());
  const absl::StatusOr<ReceivedReport> received = ReceiveReport(worker);
  if (!received.ok()) {
    // A packet without a byte is the end of the socket.
    FUZZ_CHECK(absl::IsInvalidArgument(received.status()) || packet.empty());
    return 0;
  }
  ExpectInOrder(*received, packet);
  FUZZ_CHECK(received->descriptors.size() == descriptors);
  FUZZ_CHECK(received->sender_pid == (with_pid ? getpid() : 0));
  return 0;
}
