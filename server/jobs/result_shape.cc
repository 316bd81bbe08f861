#include "server/jobs/result_shape.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/base/utf8.h"

namespace paddock {
namespace {

// Returns the bytes that are left in the capture.
size_t CutCapture(size_t max_bytes, v1::CapturedOutput* capture) {
  if (!capture->has_data()) return 0;
  std::string* data = capture->mutable_data();
  if (data->size() > max_bytes) {
    data->resize(max_bytes);
    capture->set_truncated(true);
  }
  return data->size();
}

void PreferText(v1::CapturedOutput* capture) {
  if (!capture->has_data()) return;
  const size_t valid = ValidUtf8Prefix(capture->data());
  const size_t rest = capture->data().size() - valid;
  // A character that was cut in two does not make text binary; it goes.
  constexpr size_t kLongestRest = 3;
  if (rest > 0 && !(capture->truncated() && rest <= kLongestRest)) return;
  std::string text = std::move(*capture->mutable_data());
  text.resize(valid);
  capture->set_text(std::move(text));
}

size_t DataBytes(const v1::CapturedOutput& capture) {
  return capture.has_data() ? capture.data().size() : 0;
}

void DropOutput(size_t left, v1::OutputResult* output) {
  v1::FileError error;
  error.set_path(output->path());
  error.set_reason(v1::FILE_ERROR_REASON_TOO_LARGE);
  error.set_message(absl::StrCat("has ", output->data().size(),
                                 " bytes; the response has "
                                 "room for ",
                                 left, " more (inline_budget_bytes)"));
  *output->mutable_error() = std::move(error);
}

}  // namespace

void ShapeResult(const ResultShape& shape, v1::ProcessResult* result) {
  size_t left = shape.inline_budget_bytes;
  // Neither stream can take all of it from the other.
  const size_t for_stdout =
      std::max(left / 2, left - std::min(left, DataBytes(result->stderr())));
  if (result->has_stdout()) {
    left -= CutCapture(for_stdout, result->mutable_stdout());
  }
  if (result->has_stderr()) {
    left -= CutCapture(left, result->mutable_stderr());
  }
  for (v1::OutputResult& output : *result->mutable_outputs()) {
    if (!output.has_data()) continue;
    if (output.data().size() <= left) {
      left -= output.data().size();
      continue;
    }
    DropOutput(left, &output);
    if (result->outcome() == v1::OUTCOME_SUCCEEDED) {
      result->set_outcome(v1::OUTCOME_OUTPUT_ERROR);
    }
  }
  if (shape.stdout_as_text && result->has_stdout()) {
    PreferText(result->mutable_stdout());
  }
  if (shape.stderr_as_text && result->has_stderr()) {
    PreferText(result->mutable_stderr());
  }
}

}  // namespace paddock
