#include "server/supervisor/runtime_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/supervisor/child_process.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

absl::StatusOr<bool> IsEmpty(const std::string& directory) {
  DIR* stream = opendir(directory.c_str());
  if (stream == nullptr) {
    return ErrnoStatus(errno, absl::StrCat("opendir ", directory));
  }
  bool empty = true;
  while (const dirent* entry = readdir(stream)) {
    empty = empty && (strcmp(entry->d_name, ".") == 0 ||
                      strcmp(entry->d_name, "..") == 0);
  }
  closedir(stream);
  return empty;
}

// Whether `user` may create files there, asked by a child that has become the
// user: no rule of access is guessed.
absl::StatusOr<bool> CanCreateIn(const std::string& directory,
                                 const ServiceUser& user) {
  const pid_t pid = fork();
  if (pid < 0) return ForkError(errno);
  if (pid == 0) {
    if (BecomeServiceUser(user) != 0) _exit(2);
    _exit(access(directory.c_str(), W_OK | X_OK) == 0 ? 0 : 1);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return ErrnoStatus(errno, "waitpid");
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) {
    return absl::InternalError(
        absl::StrCat("a child could not become the user ", user.name));
  }
  return WEXITSTATUS(status) == 0;
}

}  // namespace

absl::Status PrepareRuntimeDirectory(const std::string& unix_socket,
                                     const ServiceUser& user) {
  const std::string directory = unix_socket.substr(0, unix_socket.rfind('/'));
  const bool made = mkdir(directory.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) {
    return ErrnoStatus(errno,
                       absl::StrCat("listen.unix_socket: mkdir ", directory));
  }
  ASSIGN_OR_RETURN(const UniqueFd fd,
                   OpenAt(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return ErrnoStatus(errno, "fstat");
  ASSIGN_OR_RETURN(const bool empty, IsEmpty(directory));
  if (made || (empty && st.st_uid == 0 && (st.st_mode & S_ISVTX) == 0)) {
    if (fchown(fd.get(), user.uid, user.gid) != 0 ||
        fchmod(fd.get(), 0755) != 0) {
      return ErrnoStatus(errno, absl::StrCat("chown ", directory));
    }
  }
  ASSIGN_OR_RETURN(const bool usable, CanCreateIn(directory, user));
  if (usable) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "listen.unix_socket: the user ", user.name, " cannot create files in ",
      directory,
      ", or cannot reach it: name a directory that does not exist yet, or give "
      "it to this user"));
}

}  // namespace paddock
