#include "worker/base/directory_count.h"

#include <algorithm>

namespace paddock {

// Sorted, the files below one directory are neighbours: each path adds the
// directories that it does not share with the one before it.
int64_t CountDirectories(std::vector<absl::string_view> paths) {
  std::sort(paths.begin(), paths.end());
  int64_t count = 0;
  absl::string_view last;
  for (const absl::string_view path : paths) {
    const auto [fresh, _] =
        std::mismatch(path.begin(), path.end(), last.begin(), last.end());
    count += std::count(fresh, path.end(), '/');
    last = path;
  }
  return count;
}

}  // namespace paddock
