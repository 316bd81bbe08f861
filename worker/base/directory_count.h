#ifndef PADDOCK_WORKER_BASE_DIRECTORY_COUNT_H_
#define PADDOCK_WORKER_BASE_DIRECTORY_COUNT_H_

#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"

namespace paddock {

// How many directories are needed to hold files at `paths`, which are absolute
// and in normal form: each counted once, however many files it has, the root
// too.
int64_t CountDirectories(std::vector<absl::string_view> paths);

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_DIRECTORY_COUNT_H_
