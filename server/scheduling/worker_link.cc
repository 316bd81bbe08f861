#include "server/scheduling/worker_link.h"

#include "absl/strings/str_cat.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

using internal::v1::WorkerMessage;

absl::Status CheckRunId(const WorkerLink& link, uint64_t run_id) {
  if (link.run == nullptr) {
    return absl::InvalidArgumentError("tells of a run while it has none");
  }
  if (link.run->id != run_id) {
    return absl::InvalidArgumentError(absl::StrCat(
        "tells of run ", run_id, " while it has run ", link.run->id));
  }
  return absl::OkStatus();
}

// Text and blobs are the server's to make, from bytes that it has counted.
bool IsPlain(const v1::CapturedOutput& capture) {
  return capture.has_data() ||
         capture.content_case() == v1::CapturedOutput::CONTENT_NOT_SET;
}

absl::Status CheckResult(const v1::ProcessResult& result) {
  if (result.outcome() == v1::OUTCOME_UNSPECIFIED) {
    return absl::InvalidArgumentError("finished a run without an outcome");
  }
  bool plain = IsPlain(result.stdout()) && IsPlain(result.stderr()) &&
               result.file_descriptors().empty();
  for (const v1::OutputResult& output : result.outputs()) {
    plain = plain && !output.has_blob() && !output.has_tree();
  }
  if (!plain) {
    return absl::InvalidArgumentError("sent output in a form nobody asked for");
  }
  return absl::OkStatus();
}

absl::Status CheckStats(const internal::v1::WorkerStats& stats) {
  if (stats.warm_sandboxes() < 0) {
    return absl::InvalidArgumentError("counts less than no warm sandbox");
  }
  for (const auto& failures : stats.setup_failures()) {
    if (failures.count() < 0) {
      return absl::InvalidArgumentError("counts less than no set-up failure");
    }
  }
  return absl::OkStatus();
}

}  // namespace

const char* WorkerLossName(WorkerLoss loss) {
  switch (loss) {
    case WorkerLoss::kDied:
      return "died";
    case WorkerLoss::kProtocolError:
      return "protocol_error";
    case WorkerLoss::kHung:
      return "hung";
  }
  return "unknown";
}

absl::Status CheckWorkerMessage(const WorkerLink& link,
                                const WorkerMessage& message) {
  const bool starting = link.state == WorkerLink::State::kStarting;
  if (starting != message.has_ready()) {
    return absl::InvalidArgumentError(
        starting ? "says something before it is ready" : "is ready twice");
  }
  switch (message.message_case()) {
    case WorkerMessage::kReady:
      return absl::OkStatus();
    case WorkerMessage::kStarted:
      if (link.run_started) {
        return absl::InvalidArgumentError("started one run twice");
      }
      return CheckRunId(link, message.started().run_id());
    case WorkerMessage::kFinished:
      RETURN_IF_ERROR(CheckResult(message.finished().result()));
      return CheckRunId(link, message.finished().run_id());
    case WorkerMessage::kMemoryFree:
      if (link.held_bytes == 0) {
        return absl::InvalidArgumentError("frees memory that it does not hold");
      }
      return absl::OkStatus();
    case WorkerMessage::kStats:
      return CheckStats(message.stats());
    case WorkerMessage::MESSAGE_NOT_SET:
      return absl::InvalidArgumentError("sent an empty message");
  }
  return absl::InvalidArgumentError("sent an unknown message");
}

}  // namespace paddock
