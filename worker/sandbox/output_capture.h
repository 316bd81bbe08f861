#ifndef PADDOCK_WORKER_SANDBOX_OUTPUT_CAPTURE_H_
#define PADDOCK_WORKER_SANDBOX_OUTPUT_CAPTURE_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "worker/base/unique_fd.h"
#include "worker/sandbox/run_spec.h"

namespace paddock {

// Reads one stream of the program: keeps its first bytes, counts all.
class OutputCapture {
 public:
  // `pipe` is a non-blocking read end. Keeps at most `limit_bytes`, and no more
  // than `room_bytes`, which is no limit of the program's.
  OutputCapture(UniqueFd pipe, int64_t limit_bytes, int64_t room_bytes)
      : pipe_(std::move(pipe)),
        limit_bytes_(limit_bytes),
        keep_bytes_(std::min(limit_bytes, room_bytes)) {}

  // For poll(2); -1 once the stream has ended.
  int fd() const { return pipe_.get(); }
  // Reads what is there, but not more than a fixed amount at a time, so that a
  // flood cannot keep the worker from looking at limits.
  void ReadSome();
  // After the last writer is dead: reads what is left in the pipe.
  void ReadRest();
  int64_t kept_bytes() const {
    return static_cast<int64_t>(capture_.kept.size());
  }
  bool overflowed() const { return capture_.written_bytes > limit_bytes_; }
  Capture Take() { return std::move(capture_); }

 private:
  bool ReadOnce();

  UniqueFd pipe_;
  int64_t limit_bytes_;
  int64_t keep_bytes_;
  Capture capture_;
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_OUTPUT_CAPTURE_H_
