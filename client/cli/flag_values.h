#ifndef PADDOCK_CLIENT_CLI_FLAG_VALUES_H_
#define PADDOCK_CLIENT_CLI_FLAG_VALUES_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"

namespace paddock {

// What users write as values of flags. Errors are InvalidArgument and say what
// would be right; the flag's name is the caller's to add.

// "2s", "500ms", "1m30s", "1.5h": numbers, each with one of the units h, m, s,
// ms, us, ns. "0" needs none. Not negative, and at most what
// google.protobuf.Duration can hold.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

// Nanoseconds are kept, smaller parts cut off. `duration` is finite.
google::protobuf::Duration ToProto(absl::Duration duration);
absl::Duration FromProto(const google::protobuf::Duration& duration);

// Bytes: "65536", "64K", "64M", "1G", "1T", also "64KiB" and the like, in upper
// or lower case. All are powers of 1024. "64MB" is refused: to some it is a
// power of 1000.
absl::StatusOr<int64_t> ParseSize(absl::string_view text);

// A plain decimal number from `min` to `max`.
absl::StatusOr<int64_t> ParseCount(absl::string_view text, int64_t min,
                                   int64_t max);

// "KEY=VALUE" cut at the first '='. Neither without '=' nor with an empty key.
absl::StatusOr<std::pair<std::string, std::string>> ParsePair(
    absl::string_view text);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_FLAG_VALUES_H_
