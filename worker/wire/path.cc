#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "worker/wire/process_check.h"

namespace paddock {
namespace {
constexpr absl::string_view kWorkspace = "/work";
constexpr absl::string_view kWritable[] = {kWorkspace, "/tmp", "/dev/shm"};
}  // namespace

std::string NormalizePath(absl::string_view path) {
  // Longer than any path that can fit even after its "." and empty components
  // go: not worth splitting.
  constexpr size_t kMaxRawBytes = 4 * kMaxPathBytes;
  if (path.empty() || path.size() > kMaxRawBytes ||
      absl::StrContains(path, absl::string_view("\0", 1))) {
    return "";
  }
  std::string normal(path[0] == '/' ? "" : kWorkspace);
  for (absl::string_view name : absl::StrSplit(path, '/')) {
    if (name.empty() || name == ".") continue;
    if (name == ".." || name.size() > kMaxNameBytes) return "";
    absl::StrAppend(&normal, "/", name);
  }
  if (normal.size() > kMaxPathBytes) return "";
  return normal.empty() ? "/" : normal;
}

bool IsBelowWritableDirectory(absl::string_view path) {
  for (absl::string_view directory : kWritable) {
    if (path.size() > directory.size() + 1 &&
        absl::StartsWith(path, directory) && path[directory.size()] == '/') {
      return true;
    }
  }
  return false;
}

}  // namespace paddock
