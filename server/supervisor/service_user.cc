#include "server/supervisor/service_user.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/supervisor/child_process.h"
#include "server/supervisor/host_ids.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

constexpr const char* kUserAdd[] = {"/usr/sbin/useradd", "/sbin/useradd"};

absl::StatusOr<std::optional<ServiceUser>> FindUser(const std::string& name) {
  passwd entry;
  passwd* found = nullptr;
  std::vector<char> buffer(65536);
  const int error =
      getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    // What "not found" looks like differs: getpwnam_r(3), NOTES.
    if (error == 0 || error == ENOENT || error == ESRCH) {
      return std::optional<ServiceUser>();
    }
    return ErrnoStatus(error, absl::StrCat("getpwnam_r(", name, ")"));
  }
  if (found->pw_uid == 0 || found->pw_gid == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("workers.user: ", name,
                     " has uid or gid 0, but the server process "
                     "must have no privilege"));
  }
  return std::optional(ServiceUser{name, found->pw_uid, found->pw_gid});
}

// Containers with a user namespace of their own have the ids that someone
// chose.
absl::Status CheckMapped(const ServiceUser& user) {
  ASSIGN_OR_RETURN(const std::string uid_map,
                   ReadFileAt(AT_FDCWD, "/proc/self/uid_map"));
  ASSIGN_OR_RETURN(const std::string gid_map,
                   ReadFileAt(AT_FDCWD, "/proc/self/gid_map"));
  if (HasId(uid_map, user.uid) && HasId(gid_map, user.gid)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "workers.user: ", user.name, " has the ids ", user.uid, " and ", user.gid,
      ", which this user namespace does not map: map them, as podman --uidmap "
      "0:100000:65536 does, or name another user"));
}

// Runs useradd to its end. Its own messages go to our stderr.
absl::Status RunUserAdd(const char* program, const std::string& name) {
  const char* argv[] = {
      program,      "--system",     "--user-group", "--no-create-home",
      "--home-dir", "/nonexistent", "--shell",      "/usr/sbin/nologin",
      name.c_str(), nullptr};
  const char* environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
  const pid_t pid = fork();
  if (pid < 0) return ForkError(errno);
  if (pid == 0) {
    execve(program, const_cast<char**>(argv), const_cast<char**>(environment));
    _exit(127);
  }
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return ErrnoStatus(errno, "waitpid(useradd)");
  }
  if (status != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(program, " ended with wait status ", status));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ServiceUser> FindOrCreateServiceUser(const std::string& name,
                                                    bool* created) {
  *created = false;
  ASSIGN_OR_RETURN(std::optional<ServiceUser> user, FindUser(name));
  if (user.has_value()) {
    RETURN_IF_ERROR(CheckMapped(*user));
    return *user;
  }
  absl::Status made = absl::NotFoundError("there is no useradd on this host");
  for (const char* program : kUserAdd) {
    if (access(program, X_OK) != 0) continue;
    made = RunUserAdd(program, name);
    break;
  }
  // Another paddockd that starts now may have been faster.
  ASSIGN_OR_RETURN(user, FindUser(name));
  if (user.has_value()) {
    *created = made.ok();
    return *user;
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "workers.user: there is no user ", name, " and it could not be made (",
      made.message(), "): make it by hand, or name another"));
}

int BecomeServiceUser(const ServiceUser& user) {
  // A user namespace that maps one group alone forbids it: user_namespaces(7).
  if (setgroups(0, nullptr) != 0 && user.uid != 0) return errno;
  for (int capability = 0; capability <= 63; ++capability) {
    // EINVAL: beyond the last one this kernel has.
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
      if (errno == EINVAL) break;
      return errno;
    }
  }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return errno;
  }
  if (setresgid(user.gid, user.gid, user.gid) != 0) return errno;
  if (setresuid(user.uid, user.uid, user.uid) != 0) return errno;
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capset, &header, none) != 0) return errno;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  return 0;
}

}  // namespace paddock
