#include "server/supervisor/cgroup_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
constexpr absl::Duration kRetryInterval = absl::Milliseconds(5);

// A pid may have been given to another process since it was read. A pidfd
// cannot: so the membership is looked at again once it is held.
void KillMember(int directory, pid_t pid) {
  // By number: glibc 2.36 declares the two functions for C only.
  UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return;  // gone
  const absl::StatusOr<std::vector<int>> members = Members(directory);
  if (!members.ok() || std::count(members->begin(), members->end(), pid) == 0) {
    return;
  }
  syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
}

// Failures are not looked at: the rmdir that follows tells.
void KillByFile(int parent, const std::string& name,
                const char* kill_file_group) {
  if (kill_file_group == nullptr) return;
  WriteControlAt(parent,
                 absl::StrCat(name, "/", kill_file_group, "/cgroup.kill"), "1")
      .IgnoreError();
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ChildGroups(int directory) {
  ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(directory, ".", kOpenDirectory));
  DIR* stream = fdopendir(fd.get());
  if (stream == nullptr) return ErrnoStatus(errno, "fdopendir");
  static_cast<void>(fd.Release());  // closedir closes it
  std::vector<std::string> names;
  while (const dirent* entry = readdir(stream)) {
    const std::string name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") {
      names.push_back(name);
    }
  }
  closedir(stream);
  return names;
}

absl::StatusOr<std::vector<int>> Members(int directory) {
  ASSIGN_OR_RETURN(const std::string text,
                   ReadFileAt(directory, "cgroup.procs"));
  std::vector<int> pids;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    int pid = 0;
    // 0 stands for a process our pid namespace does not show.
    if (absl::SimpleAtoi(line, &pid) && pid > 0) pids.push_back(pid);
  }
  return pids;
}

void KillMembers(int directory) {
  const absl::StatusOr<std::vector<int>> members = Members(directory);
  if (members.ok()) {
    for (const int pid : *members) KillMember(directory, pid);
  }
  const absl::StatusOr<std::vector<std::string>> children =
      ChildGroups(directory);
  if (!children.ok()) return;
  for (const std::string& child : *children) {
    const auto fd = OpenAt(directory, child, kOpenDirectory);
    if (fd.ok()) KillMembers(fd->get());
  }
}

absl::Status RemoveGroups(int parent, const std::string& name) {
  const auto fd = OpenAt(parent, name, kOpenDirectory);
  if (ErrnoOf(fd.status()) == ENOENT) return absl::OkStatus();
  RETURN_IF_ERROR(fd.status());
  ASSIGN_OR_RETURN(const std::vector<std::string> children,
                   ChildGroups(fd->get()));
  for (const std::string& child : children) {
    RETURN_IF_ERROR(RemoveGroups(fd->get(), child));
  }
  if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("rmdir of the cgroup ", name));
  }
  return absl::OkStatus();
}

absl::Status KillAndRemoveGroups(int parent, const std::string& name,
                                 const char* kill_file_group,
                                 absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  for (;;) {
    const auto fd = OpenAt(parent, name, kOpenDirectory);
    if (ErrnoOf(fd.status()) == ENOENT) return absl::OkStatus();
    RETURN_IF_ERROR(fd.status());
    KillByFile(parent, name, kill_file_group);
    KillMembers(fd->get());
    const absl::Status removed = RemoveGroups(parent, name);
    if (removed.ok() || absl::Now() >= deadline) return removed;
    absl::SleepFor(kRetryInterval);
  }
}

}  // namespace paddock
