#include "worker/base/file_util.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {
// Not F_SEAL_WRITE: that waits, 150 ms at most and then fails with EBUSY, for
// whoever else looks at one of the pages, such as the kernel's own memory
// management. All it adds is that nobody has mapped them for writing before.
constexpr int kAllSeals =
    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;
}  // namespace

absl::StatusOr<UniqueFd> OpenAt(int directory, const std::string& path,
                                int flags, unsigned mode) {
  UniqueFd fd(openat(directory, path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd.valid()) {
    return ErrnoStatus(errno, absl::StrCat("open ", path));
  }
  return fd;
}

absl::StatusOr<std::string> ReadFileAt(int directory, const std::string& path,
                                       size_t max_bytes) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(directory, path, O_RDONLY));
  return ReadFromStart(fd.get(), path, max_bytes);
}

absl::StatusOr<std::string> ReadFromStart(int fd, absl::string_view name,
                                          size_t max_bytes) {
  std::string data;
  char buffer[16384];
  for (;;) {
    const ssize_t n =
        pread(fd, buffer, sizeof(buffer), static_cast<off_t>(data.size()));
    if (n < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, absl::StrCat("read ", name));
    }
    if (n == 0) return data;
    if (data.size() + n > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat(name, " is larger than ", max_bytes, " bytes"));
    }
    data.append(buffer, n);
  }
}

absl::Status WriteControlAt(int directory, const std::string& path,
                            absl::string_view value) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(directory, path, O_WRONLY));
  return WriteControl(fd.get(), path, value);
}

absl::Status WriteControl(int fd, absl::string_view name,
                          absl::string_view value) {
  if (write(fd, value.data(), value.size()) < 0) {
    return ErrnoStatus(errno, absl::StrCat("write '", value, "' to ", name));
  }
  return absl::OkStatus();
}

absl::Status WriteAll(int fd, absl::string_view data) {
  while (!data.empty()) {
    const ssize_t n = write(fd, data.data(), data.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, "write");
    }
    data.remove_prefix(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> SealedMemfd(const char* name, absl::string_view data) {
  UniqueFd fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return ErrnoStatus(errno, "memfd_create");
  RETURN_IF_ERROR(WriteAll(fd.get(), data));
  if (lseek(fd.get(), 0, SEEK_SET) != 0) return ErrnoStatus(errno, "lseek");
  if (fcntl(fd.get(), F_ADD_SEALS, kAllSeals) != 0) {
    return ErrnoStatus(errno, "fcntl(F_ADD_SEALS)");
  }
  return fd;
}

absl::StatusOr<std::string> ReadSealedMemfd(int fd, size_t max_bytes) {
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kAllSeals) != kAllSeals) {
    return absl::InvalidArgumentError("descriptor is not a sealed memfd");
  }
  struct stat st;
  if (fstat(fd, &st) != 0) return ErrnoStatus(errno, "fstat");
  if (!S_ISREG(st.st_mode)) {
    return absl::InvalidArgumentError("descriptor is not a regular file");
  }
  if (st.st_size < 0 || static_cast<size_t>(st.st_size) > max_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "memfd of ", st.st_size, " bytes, at most ", max_bytes, " allowed"));
  }
  std::string data(st.st_size, '\0');
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t n = pread(fd, &data[done], data.size() - done, done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return ErrnoStatus(n < 0 ? errno : EIO, "pread memfd");
    done += n;
  }
  return data;
}

}  // namespace paddock
