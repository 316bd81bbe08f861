#ifndef PADDOCK_WORKER_BASE_FILE_UTIL_H_
#define PADDOCK_WORKER_BASE_FILE_UTIL_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/base/unique_fd.h"

namespace paddock {

// openat(2) with O_CLOEXEC added. `directory` is borrowed; AT_FDCWD is allowed.
absl::StatusOr<UniqueFd> OpenAt(int directory, const std::string& path,
                                int flags, unsigned mode = 0);

// The whole of a file that is at most `max_bytes` long (ResourceExhausted
// beyond), read from where it stands in `directory`.
absl::StatusOr<std::string> ReadFileAt(int directory, const std::string& path,
                                       size_t max_bytes = 1 << 20);

// The same of an open file, from its start. `name` is for errors only.
absl::StatusOr<std::string> ReadFromStart(int fd, absl::string_view name,
                                          size_t max_bytes = 1 << 20);

// One write(2) of `value` to an existing file: a kernel control file.
absl::Status WriteControlAt(int directory, const std::string& path,
                            absl::string_view value);
// The same to an open file. `name` is for errors only.
absl::Status WriteControl(int fd, absl::string_view name,
                          absl::string_view value);

// Writes all of `data`, however many calls it takes.
absl::Status WriteAll(int fd, absl::string_view data);

// A memfd that holds `data` and can never change: memfd_create(2), sealed with
// SEAL, SHRINK, GROW and FUTURE_WRITE. `name` is for /proc only. Offset 0.
absl::StatusOr<UniqueFd> SealedMemfd(const char* name, absl::string_view data);

// The bytes of a memfd that is sealed as above, read once: its maker may have
// mapped it before and change them still. InvalidArgument if it is not sealed,
// or if it is no regular file; ResourceExhausted beyond `max_bytes`.
absl::StatusOr<std::string> ReadSealedMemfd(int fd, size_t max_bytes);

}  // namespace paddock

#endif  // PADDOCK_WORKER_BASE_FILE_UTIL_H_
