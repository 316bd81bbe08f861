#include "client/cli/local_files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace paddock {
namespace {

// errno is read first: StrCat may allocate and change it.
absl::Status Failed(int error, absl::string_view call, absl::string_view name) {
  return absl::ErrnoToStatus(error, absl::StrCat("cannot ", call, " ", name));
}

// True if a call that failed with `error` may be made again, now that `fd` can
// take it: whoever gave us the descriptor may have made it non-blocking.
bool CanRetry(int error, int fd, short event) {
  if (error == EINTR) return true;
  if (error != EAGAIN) return false;
  pollfd entry = {fd, event, 0};
  return poll(&entry, 1, -1) >= 0 || errno == EINTR;
}

mode_t CurrentUmask() {
  const mode_t mask = umask(0);
  umask(mask);
  return mask;
}

absl::Status WriteNewFile(int fd, const std::string& temporary,
                          const std::string& path, absl::string_view data,
                          bool executable) {
  const absl::Status written = WriteDescriptor(fd, temporary, data);
  if (!written.ok()) return written;
  // mkstemp(3) makes files 0600, whatever the umask.
  if (fchmod(fd, (executable ? 0777 : 0666) & ~CurrentUmask()) != 0) {
    return Failed(errno, "change the mode of", temporary);
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return Failed(errno, "write", path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadDescriptor(int fd, absl::string_view name) {
  std::string data;
  size_t size = 0;
  for (;;) {
    if (size == data.size()) data.resize(std::max<size_t>(2 * size, 64 << 10));
    const ssize_t got = read(fd, data.data() + size, data.size() - size);
    if (got < 0) {
      const int error = errno;
      if (CanRetry(error, fd, POLLIN)) continue;
      return Failed(error, "read", name);
    }
    if (got == 0) break;
    size += static_cast<size_t>(got);
    if (size > kMaxLocalFileBytes) {
      return absl::ResourceExhaustedError(absl::StrCat(
          name, " has more than ", kMaxLocalFileBytes >> 20, " MiB"));
    }
  }
  data.resize(size);
  return data;
}

absl::StatusOr<LocalFile> ReadLocalFile(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Failed(errno, "open", path);
  const absl::Cleanup closer = [fd] { close(fd); };
  struct stat info;
  if (fstat(fd, &info) != 0) return Failed(errno, "stat", path);
  if (S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is a directory; only files can be sent"));
  }
  absl::StatusOr<std::string> data = ReadDescriptor(fd, path);
  if (!data.ok()) return data.status();
  return LocalFile{*std::move(data),
                   S_ISREG(info.st_mode) && (info.st_mode & S_IXUSR) != 0};
}

absl::Status WriteLocalFile(const std::string& path, absl::string_view data,
                            bool executable) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return Failed(errno, "write", path);
    const absl::Cleanup closer = [fd] { close(fd); };
    return WriteDescriptor(fd, path, data);
  }
  std::string temporary = absl::StrCat(path, ".XXXXXX");
  const int fd = mkostemp(temporary.data(), O_CLOEXEC);
  if (fd < 0) return Failed(errno, "write", path);
  const absl::Cleanup closer = [fd] { close(fd); };
  const absl::Status status =
      WriteNewFile(fd, temporary, path, data, executable);
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

absl::Status WriteDescriptor(int fd, absl::string_view name,
                             absl::string_view data) {
  while (!data.empty()) {
    const ssize_t put = write(fd, data.data(), data.size());
    if (put < 0) {
      const int error = errno;
      if (CanRetry(error, fd, POLLOUT)) continue;
      return Failed(error, "write", name);
    }
    data.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

// What was open at the start survived an exec, so it is not close-on-exec. The
// number of one that was closed goes to the first descriptor a library opens,
// which it may do before main().
bool IsOpenStream(int fd) {
  const int flags = fcntl(fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

absl::StatusOr<std::string> ReadStandardInput() {
  if (IsOpenStream(STDIN_FILENO)) {
    return ReadDescriptor(STDIN_FILENO, "standard input");
  }
  return absl::FailedPreconditionError("standard input is closed");
}

absl::Status WriteStandardStream(int fd, absl::string_view data) {
  const char* name = fd == STDOUT_FILENO ? "standard output" : "standard error";
  if (data.empty()) return absl::OkStatus();
  if (IsOpenStream(fd)) return WriteDescriptor(fd, name, data);
  return absl::FailedPreconditionError(absl::StrCat(name, " is closed"));
}

}  // namespace paddock
