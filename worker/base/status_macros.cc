#include "worker/base/status_macros.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace paddock {
namespace {
constexpr char kErrnoPayload[] = "paddock/errno";
}  // namespace

absl::Status ErrnoStatus(int error, absl::string_view what) {
  absl::Status status = absl::ErrnoToStatus(error, what);
  status.SetPayload(kErrnoPayload, absl::Cord(absl::StrCat(error)));
  return status;
}

int ErrnoOf(const absl::Status& status) {
  int error = 0;
  if (auto payload = status.GetPayload(kErrnoPayload); payload.has_value()) {
    if (!absl::SimpleAtoi(std::string(*payload), &error)) return 0;
  }
  return error;
}

absl::Status Annotate(const absl::Status& status, absl::string_view where) {
  absl::Status annotated(status.code(), absl::StrCat(where, status.message()));
  if (auto payload = status.GetPayload(kErrnoPayload); payload.has_value()) {
    annotated.SetPayload(kErrnoPayload, *payload);
  }
  return annotated;
}

}  // namespace paddock
