#ifndef PADDOCK_WORKER_WIRE_CPU_LIST_H_
#define PADDOCK_WORKER_WIRE_CPU_LIST_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace paddock {

// Far above what Linux can have.
inline constexpr int kMostCpuNumber = 65535;

// The numbers in a list as "2-7,9": cpuset(7), "List format", without strides.
// Sorted, each once. White space around the whole is ignored; an empty list has
// none. InvalidArgument says what is wrong.
absl::StatusOr<std::vector<int>> ParseCpuList(absl::string_view text);

// The reverse: the shortest list of sorted numbers.
std::string FormatCpuList(const std::vector<int>& cpus);

}  // namespace paddock

#endif  // PADDOCK_WORKER_WIRE_CPU_LIST_H_
