#include "server/supervisor/user_namespace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/supervisor/child_process.h"
#include "worker/base/file_util.h"
#include "worker/base/socket.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

std::string NameOf(uid_t uid) {
  passwd entry;
  passwd* found = nullptr;
  std::vector<char> buffer(65536);
  getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  return found == nullptr ? "" : entry.pw_name;
}

std::string FirstLine(const char* path) {
  const auto text = ReadFileAt(AT_FDCWD, path);
  return text.ok() ? std::string(absl::StripSuffix(*text, "\n")) : "";
}

// Every way in which hosts forbid user namespaces, by its own switch.
std::string WhyForbidden(int error) {
  if (FirstLine("/proc/sys/kernel/unprivileged_userns_clone") == "0") {
    return "kernel.unprivileged_userns_clone is 0: set it to 1 with sysctl(8)";
  }
  if (FirstLine("/proc/sys/user/max_user_namespaces") == "0") {
    return "user.max_user_namespaces is 0: raise it with sysctl(8)";
  }
  if (FirstLine("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") ==
      "1") {
    return "AppArmor restricts them: give paddockd a profile with `userns,`, "
           "or set kernel.apparmor_restrict_unprivileged_userns to 0";
  }
  if (error == ENOSPC) {
    return "user.max_user_namespaces is reached, or too many are nested";
  }
  if (error == EINVAL) return "this kernel has none";
  return "a seccomp filter or a security module of this host or container "
         "forbids them: allow unshare and clone with all flags there (podman "
         "or docker --security-opt seccomp=deploy/docker/seccomp.json)";
}

// newuidmap(1) or newgidmap(1), which are set-user-id root.
bool RunMapper(const char* program, pid_t target, uint32_t own,
               const SubordinateIds& ids) {
  const std::string pid = absl::StrCat(target);
  const std::string own_id = absl::StrCat(own);
  const std::string first = absl::StrCat(ids.first);
  const std::string count = absl::StrCat(ids.count);
  const pid_t child = fork();
  if (child == 0) {
    execlp(program, program, pid.c_str(), "0", own_id.c_str(), "1", "1",
           first.c_str(), count.c_str(), nullptr);
    _exit(127);
  }
  int status = -1;
  while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status == 0;
}

// Exit statuses of the child that runs them, neither of which is an errno's.
constexpr int kNoMap = 200;
constexpr int kNoGroupMap = 201;  // but one of users, which is there for good

int RunMappers(pid_t target, uid_t uid, const SubordinateIds& uids, gid_t gid,
               const SubordinateIds& gids) {
  if (!RunMapper("newuidmap", target, uid, uids)) return kNoMap;
  return RunMapper("newgidmap", target, gid, gids) ? 0 : kNoGroupMap;
}

// A child that stays outside, where maps of more than one id must be written,
// and maps its parent when told to.
class OutsideMapper {
 public:
  // Writes the maps of a process; returns 0, or the child's exit status.
  using Writer = std::function<int(pid_t)>;

  absl::Status Start(const Writer& write_maps) {
    ASSIGN_OR_RETURN(SocketPair pair, MakeSocketPair());
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) return ForkError(errno);
    if (pid_ == 0) {
      pair.first.Reset();
      char go;
      if (read(pair.second.get(), &go, 1) != 1) _exit(EIO);
      _exit(write_maps(parent));
    }
    socket_ = std::move(pair.first);
    return absl::OkStatus();
  }

  // What the writer returned.
  int Map() {
    int status = -1;
    if (write(socket_.get(), "1", 1) != 1) return EIO;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
  }

  ~OutsideMapper() {
    socket_.Reset();  // end of file: it ends
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = -1;
  UniqueFd socket_;
};

absl::Status MapOwnIdsOnly(uid_t uid, gid_t gid) {
  // Without it nobody may map a group by himself.
  RETURN_IF_ERROR(WriteControlAt(AT_FDCWD, "/proc/self/setgroups", "deny"));
  RETURN_IF_ERROR(WriteControlAt(AT_FDCWD, "/proc/self/uid_map",
                                 absl::StrCat("0 ", uid, " 1")));
  return WriteControlAt(AT_FDCWD, "/proc/self/gid_map",
                        absl::StrCat("0 ", gid, " 1"));
}

// Hosts whose AppArmor restricts user namespaces let anyone make one, and give
// him no capability in it.
absl::Status WhyPowerless(const absl::Status& status) {
  const int error = ErrnoOf(status);
  if (error != EPERM && error != EACCES) return status;
  return absl::FailedPreconditionError(absl::StrCat(
      "paddockd was started without root, and may do nothing in the user "
      "namespace that it made (",
      status.message(), "): ", WhyForbidden(error), ". Or start it as root"));
}

SubordinateIds ReadSubordinateIds(const char* path, uid_t uid) {
  const auto file = ReadFileAt(AT_FDCWD, path);
  return file.ok() ? FindSubordinateIds(*file, NameOf(uid), uid)
                   : SubordinateIds();
}

// Of the map of this namespace.
struct MapOfSameIds {
  std::string text;   // for one below it in which every id means the same
  uint32_t last = 0;  // the highest id
};

// `map` has lines "inside outside count".
MapOfSameIds SameIds(const std::string& map) {
  MapOfSameIds same;
  for (absl::string_view line : absl::StrSplit(map, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint32_t first;
    uint32_t count;
    if (words.size() != 3 || !absl::SimpleAtoi(words[0], &first) ||
        !absl::SimpleAtoi(words[2], &count)) {
      continue;
    }
    absl::StrAppend(&same.text, first, " ", first, " ", count, "\n");
    same.last = std::max(same.last, first + count - 1);
  }
  return same;
}

// To make a user namespace as `id`, root being who we are: what the kernel
// counts for anyone in it, it counts for its maker too, so jobs could use up
// what root may have outside. The same id has to write its maps. The real id
// stays root's: the kernel then bounds no number of processes for the maker.
absl::Status BecomeMaker(uint32_t id) {
  if (seteuid(id) != 0) {
    return ErrnoStatus(errno, absl::StrCat("seteuid(", id, ")"));
  }
  // With root's real id they are still permitted, but no more effective.
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) {
    return ErrnoStatus(errno, "capget");
  }
  for (__user_cap_data_struct& half : data) half.effective = half.permitted;
  if (syscall(SYS_capset, &header, data) != 0) {
    return ErrnoStatus(errno, "capset");
  }
  return absl::OkStatus();
}

// A change of ids clears it, and then the files in /proc/self are root's of the
// namespace around: proc(5).
absl::Status StayDumpable() {
  if (prctl(PR_SET_DUMPABLE, 1) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "prctl(PR_SET_DUMPABLE)");
}

}  // namespace

SubordinateIds FindSubordinateIds(absl::string_view file,
                                  const std::string& name, uint32_t uid) {
  SubordinateIds largest;
  for (absl::string_view line : absl::StrSplit(file, '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ':');
    SubordinateIds ids;
    if (words.size() != 3 || !absl::SimpleAtoi(words[1], &ids.first) ||
        !absl::SimpleAtoi(words[2], &ids.count)) {
      continue;
    }
    const bool ours =
        words[0] == absl::StrCat(uid) || (!name.empty() && words[0] == name);
    if (ours && ids.count > largest.count) largest = ids;
  }
  return largest;
}

bool InInitialUserNamespace() {
  // The number is fixed: PROC_USER_INIT_INO of linux/proc_ns.h.
  constexpr ino_t kInitialInode = 0xEFFFFFFD;
  struct stat st;
  return stat("/proc/self/ns/user", &st) == 0 && st.st_ino == kInitialInode;
}

absl::Status EnterOwnUserNamespace() {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  const SubordinateIds uids = ReadSubordinateIds("/etc/subuid", uid);
  const SubordinateIds gids = ReadSubordinateIds("/etc/subgid", uid);
  OutsideMapper mapper;
  const bool has_range = uids.count > 0 && gids.count > 0;
  if (has_range) {
    RETURN_IF_ERROR(mapper.Start([&](pid_t parent) {
      return RunMappers(parent, uid, uids, gid, gids);
    }));
  }
  if (unshare(CLONE_NEWUSER) != 0) {
    const int error = errno;
    return absl::FailedPreconditionError(absl::StrCat(
        "paddockd was started without root, and cannot make a user namespace "
        "of its own: ",
        WhyForbidden(error), ". Or start it as root"));
  }
  const int mapped = has_range ? mapper.Map() : kNoMap;
  if (mapped == kNoGroupMap) {
    return absl::FailedPreconditionError(absl::StrCat(
        "newuidmap gave this user ", uids.count, " ids of /etc/subuid, but ",
        "newgidmap did not give ", gids.count, " of /etc/subgid from ",
        gids.first, " on: install both (package uidmap), set-user-id root or ",
        "with their file capabilities, or take the user's line out of "
        "/etc/subuid; then programs run under one id"));
  }
  // A host without newuidmap still runs programs, under one id.
  if (mapped != 0) {
    const absl::Status status = MapOwnIdsOnly(uid, gid);
    if (!status.ok()) return WhyPowerless(status);
  }
  if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) {
    return WhyPowerless(
        ErrnoStatus(errno, "becoming root of the own user namespace"));
  }
  return absl::OkStatus();
}

absl::Status EnterUserNamespaceWithAllIds() {
  ASSIGN_OR_RETURN(const std::string uid_map,
                   ReadFileAt(AT_FDCWD, "/proc/self/uid_map"));
  ASSIGN_OR_RETURN(const std::string gid_map,
                   ReadFileAt(AT_FDCWD, "/proc/self/gid_map"));
  const MapOfSameIds uids = SameIds(uid_map);
  const MapOfSameIds gids = SameIds(gid_map);
  RETURN_IF_ERROR(BecomeMaker(uids.last));
  RETURN_IF_ERROR(StayDumpable());
  OutsideMapper mapper;
  RETURN_IF_ERROR(mapper.Start([&](pid_t parent) {
    for (const auto& [file, map] :
         {std::pair("/uid_map", uids.text), std::pair("/gid_map", gids.text)}) {
      const absl::Status written =
          WriteControlAt(AT_FDCWD, absl::StrCat("/proc/", parent, file), map);
      if (!written.ok()) return ErrnoOf(written);
    }
    return 0;
  }));
  if (unshare(CLONE_NEWUSER) != 0) {
    return absl::FailedPreconditionError(WhyForbidden(errno));
  }
  if (const int error = mapper.Map(); error != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("writing its map of ids failed: ", strerror(error)));
  }
  if (seteuid(0) != 0) return ErrnoStatus(errno, "becoming root again");
  return StayDumpable();
}

}  // namespace paddock
