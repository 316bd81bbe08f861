#include "worker/sandbox/output_capture.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace paddock {
namespace {
constexpr int kReadsAtATime = 16;
char g_buffer[64 << 10];  // one thread, and no stack of that size
}  // namespace

// False when there is nothing more to read now.
bool OutputCapture::ReadOnce() {
  if (!pipe_.valid()) return false;
  const ssize_t n = read(pipe_.get(), g_buffer, sizeof(g_buffer));
  if (n < 0) return errno == EINTR;
  if (n == 0) {
    pipe_.Reset();
    return false;
  }
  const int64_t room = keep_bytes_ - kept_bytes();
  if (room > 0) capture_.kept.append(g_buffer, std::min<int64_t>(room, n));
  capture_.written_bytes += n;
  return true;
}

void OutputCapture::ReadSome() {
  for (int i = 0; i < kReadsAtATime && ReadOnce(); ++i) {
  }
}

void OutputCapture::ReadRest() {
  while (ReadOnce()) {
  }
}

}  // namespace paddock
