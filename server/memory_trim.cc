#include "server/memory_trim.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "worker/base/file_util.h"

namespace paddock {
namespace {

// Code, stacks and what is worth keeping for the next calls.
constexpr uint64_t kSpareBytes = uint64_t{48} << 20;

// 0 if it cannot be read. Its second field, in pages: proc_pid_statm(5).
uint64_t ResidentBytes() {
  const absl::StatusOr<std::string> text =
      ReadFileAt(AT_FDCWD, "/proc/self/statm");
  if (!text.ok()) return 0;
  const std::vector<std::string> fields = absl::StrSplit(*text, ' ');
  uint64_t pages = 0;
  if (fields.size() < 2 || !absl::SimpleAtoi(fields[1], &pages)) return 0;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

void TrimMemory() {
  const struct mallinfo2 info = mallinfo2();
  const uint64_t used = info.uordblks + info.hblkhd;
  if (ResidentBytes() > used + kSpareBytes) malloc_trim(/*pad=*/0);
}

}  // namespace paddock
