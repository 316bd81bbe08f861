#include "server/api/unix_socket_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

absl::Status RemoveStaleSocket(const std::string& path) {
  struct stat st;
  if (lstat(path.c_str(), &st) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(errno, absl::StrCat("stat ", path));
  }
  if (!S_ISSOCK(st.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path,
                     " exists and is not a socket; remove it or choose another "
                     "listen.unix_socket"));
  }
  if (unlink(path.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("unlink ", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UnixSocketLock> UnixSocketLock::Take(const std::string& path) {
  if (path.size() > kMaxSocketPath) {
    return absl::FailedPreconditionError(
        absl::StrCat("listen.unix_socket ", path, " is longer than ",
                     kMaxSocketPath, " bytes"));
  }
  const std::string lock_path = path + ".lock";
  ASSIGN_OR_RETURN(UniqueFd file, OpenAt(AT_FDCWD, lock_path,
                                         O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return ErrnoStatus(errno, absl::StrCat("flock ", lock_path));
    }
    return absl::FailedPreconditionError(absl::StrCat(
        "the Unix socket ", path, " is in use by another server (it holds ",
        lock_path, "); stop it or choose another listen.unix_socket"));
  }
  RETURN_IF_ERROR(RemoveStaleSocket(path));
  return UnixSocketLock(std::move(file));
}

}  // namespace paddock
