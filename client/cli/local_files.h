#ifndef PADDOCK_CLIENT_CLI_LOCAL_FILES_H_
#define PADDOCK_CLIENT_CLI_LOCAL_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace paddock {

// Files of the user who runs the command line. Errors name the path.

// A request larger than this would be refused by any server, and protobuf
// itself ends at 2 GiB.
inline constexpr size_t kMaxLocalFileBytes = size_t{512} << 20;

struct LocalFile {
  std::string data;
  bool executable = false;  // by its owner
};

// Reads a file, pipe or device to its end. FailedPrecondition for a directory,
// ResourceExhausted beyond kMaxLocalFileBytes.
absl::StatusOr<LocalFile> ReadLocalFile(const std::string& path);

// Reads `fd` to its end; `name` is for errors.
absl::StatusOr<std::string> ReadDescriptor(int fd, absl::string_view name);

// Writes `data` to a new file that then takes the place of `path`, so that a
// failure leaves what was there. If `path` is no regular file, as /dev/stdout,
// `data` is written to it. Made with the rights the umask leaves of rw or rwx.
absl::Status WriteLocalFile(const std::string& path, absl::string_view data,
                            bool executable);

// Writes all of `data`; `name` is for errors.
absl::Status WriteDescriptor(int fd, absl::string_view name,
                             absl::string_view data);

// True if `fd`, one of 0, 1 and 2, was open when the command started.
bool IsOpenStream(int fd);

// Standard input to its end. FailedPrecondition if it was closed.
absl::StatusOr<std::string> ReadStandardInput();

// Writes all of `data` to standard output (1) or error (2). FailedPrecondition
// if it was closed.
absl::Status WriteStandardStream(int fd, absl::string_view data);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_LOCAL_FILES_H_
