#ifndef PADDOCK_SERVER_JOBS_RESULT_SHAPE_H_
#define PADDOCK_SERVER_JOBS_RESULT_SHAPE_H_

#include <cstddef>

#include "paddock/v1/result.pb.h"

namespace paddock {

// What of the request decides on the form of its result.
struct ResultShape {
  bool stdout_as_text = false;  // Capture.prefer_text
  bool stderr_as_text = false;
  // Bytes of captures and outputs together.
  size_t inline_budget_bytes = 0;
};

// Brings a worker's result within the budget and into the form asked for. A
// capture that does not fit is cut, and `truncated` is set. An output that does
// not fit is replaced by an error, and turns SUCCEEDED into OUTPUT_ERROR. Text
// is cut between characters.
void ShapeResult(const ResultShape& shape, v1::ProcessResult* result);

}  // namespace paddock

#endif  // PADDOCK_SERVER_JOBS_RESULT_SHAPE_H_
