#include "server/scheduling/memory_share.h"

#include <limits>

namespace paddock {
namespace {

int64_t BytesOf(const v1::Source& source) {
  // Blobs and what else there will be is not in the message.
  return static_cast<int64_t>(source.data().size() + source.text().size());
}

// Maxima are the operator's and may be anything.
int64_t AddUpTo(int64_t a, int64_t b) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  return a > kMost - b ? kMost : a + b;
}

}  // namespace

int64_t MemoryShare(const v1::Process& process) {
  int64_t inputs = BytesOf(process.stdin());
  for (const v1::Input& input : process.inputs()) {
    inputs += BytesOf(input.source());
  }
  const v1::Limits& limits = process.limits();
  return AddUpTo(AddUpTo(limits.memory_bytes(), limits.workspace_bytes()),
                 kInputCopies * inputs);
}

}  // namespace paddock
