#include "worker/sandbox/cgroup_files.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {

absl::StatusOr<CgroupDirectory> CgroupDirectory::Make(int parent,
                                                      const std::string& name) {
  if (mkdirat(parent, name.c_str(), 0755) != 0) {
    return ErrnoStatus(errno, absl::StrCat("mkdir cgroup ", name));
  }
  CgroupDirectory directory;
  directory.parent_ = parent;
  directory.name_ = name;
  absl::StatusOr<UniqueFd> fd = OpenAt(parent, name, O_RDONLY | O_DIRECTORY);
  if (!fd.ok()) {
    unlinkat(parent, name.c_str(), AT_REMOVEDIR);
    return fd.status();
  }
  directory.fd_ = *std::move(fd);
  return directory;
}

absl::StatusOr<UniqueFd> CgroupDirectory::Open(const char* file,
                                               int flags) const {
  return OpenAt(fd_.get(), file, flags);
}

void CgroupDirectory::KeepOpen(int flags,
                               std::initializer_list<const char*> files) {
  for (const char* file : files) {
    absl::StatusOr<UniqueFd> fd = Open(file, flags);
    if (fd.ok()) kept_.emplace_back(file, *std::move(fd));
  }
}

std::optional<int> CgroupDirectory::Kept(absl::string_view file) const {
  for (const auto& [name, fd] : kept_) {
    if (file == name) return fd.get();
  }
  return std::nullopt;
}

absl::Status CgroupDirectory::Write(const char* file,
                                    absl::string_view value) const {
  const std::optional<int> kept = Kept(file);
  const absl::Status status = kept ? WriteControl(*kept, file, value)
                                   : WriteControlAt(fd_.get(), file, value);
  if (status.ok()) return status;
  return ErrnoStatus(ErrnoOf(status),
                     absl::StrCat("cgroup ", name_, ": ", status.message()));
}

absl::StatusOr<std::string> CgroupDirectory::Read(const char* file) const {
  const std::optional<int> kept = Kept(file);
  return kept ? ReadFromStart(*kept, file) : ReadFileAt(fd_.get(), file);
}

std::optional<int64_t> CgroupDirectory::ReadNumber(const char* file) const {
  absl::StatusOr<std::string> text = Read(file);
  int64_t value = 0;
  if (!text.ok() || !absl::SimpleAtoi(*text, &value)) return std::nullopt;
  return value;
}

std::optional<int64_t> CgroupDirectory::ReadKey(const char* file,
                                                absl::string_view key) const {
  absl::StatusOr<std::string> text = Read(file);
  if (!text.ok()) return std::nullopt;
  return FindKey(*text, key);
}

absl::Status CgroupDirectory::Remove() {
  if (!fd_.valid()) return absl::OkStatus();
  kept_.clear();
  fd_.Reset();
  const absl::Time give_up = absl::Now() + absl::Seconds(1);
  while (unlinkat(parent_, name_.c_str(), AT_REMOVEDIR) != 0) {
    if (errno == ENOENT) break;
    if (errno != EBUSY || absl::Now() > give_up) {
      return ErrnoStatus(errno, absl::StrCat("rmdir cgroup ", name_));
    }
    usleep(200);
  }
  return absl::OkStatus();
}

std::optional<int64_t> FindKey(absl::string_view text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    int64_t value = 0;
    if (absl::ConsumePrefix(&line, key) && absl::ConsumePrefix(&line, " ") &&
        absl::SimpleAtoi(line, &value)) {
      return value;
    }
  }
  return std::nullopt;
}

absl::StatusOr<int64_t> ReadNumberAgain(int fd) {
  char buffer[32];
  const ssize_t n = pread(fd, buffer, sizeof(buffer), 0);
  if (n < 0) return ErrnoStatus(errno, "pread of a cgroup file");
  int64_t value = 0;
  if (!absl::SimpleAtoi(absl::string_view(buffer, n), &value)) {
    return absl::InternalError("a cgroup file holds no number");
  }
  return value;
}

absl::StatusOr<KillGroup> KillGroup::Make(int parent, const std::string& name,
                                          const CgroupOptions& options) {
  KillGroup group;
  group.clone_into_ = options.clone_into;
  ASSIGN_OR_RETURN(group.directory_, CgroupDirectory::Make(parent, name));
  absl::StatusOr<UniqueFd> kill =
      group.directory_.Open("cgroup.kill", O_WRONLY);
  absl::StatusOr<UniqueFd> events =
      group.directory_.Open("cgroup.events", O_RDONLY);
  if (!kill.ok() || !events.ok()) {
    group.Remove().IgnoreError();
    return kill.ok() ? events.status() : kill.status();
  }
  if (!options.clone_into) {
    absl::StatusOr<UniqueFd> procs =
        group.directory_.Open("cgroup.procs", O_WRONLY);
    if (!procs.ok()) {
      group.Remove().IgnoreError();
      return procs.status();
    }
    group.procs_ = *std::move(procs);
  }
  group.kill_ = *std::move(kill);
  group.events_ = *std::move(events);
  return group;
}

absl::Status KillGroup::KillAll() {
  if (pwrite(kill_.get(), "1", 1, 0) != 1) {
    return ErrnoStatus(errno, "write cgroup.kill");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int>> KillGroup::Members(const char* file) const {
  ASSIGN_OR_RETURN(const std::string text, directory_.Read(file));
  std::vector<int> pids;
  for (const absl::string_view line :
       absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    int pid = 0;
    if (!absl::SimpleAtoi(line, &pid)) {
      return absl::InternalError(absl::StrCat(file, " holds no number"));
    }
    pids.push_back(pid);
  }
  return pids;
}

absl::StatusOr<bool> KillGroup::Event(absl::string_view name) const {
  char buffer[256];
  const ssize_t n = pread(events_.get(), buffer, sizeof(buffer), 0);
  if (n < 0) return ErrnoStatus(errno, "read cgroup.events");
  return FindKey(absl::string_view(buffer, n), name) != 0;
}

bool KillGroup::IsEmpty() const { return !Event("populated").value_or(true); }

absl::Status KillGroup::WaitFor(absl::string_view name, bool value,
                                absl::Duration timeout) const {
  const absl::Time give_up = absl::Now() + timeout;
  for (;;) {
    ASSIGN_OR_RETURN(const bool now, Event(name));
    if (now == value) return absl::OkStatus();
    const int64_t left = absl::ToInt64Milliseconds(give_up - absl::Now());
    if (left <= 0) {
      return absl::DeadlineExceededError(
          absl::StrCat("cgroup.events: ", name, " stays ", now));
    }
    // The notification may come late: look again now and then.
    pollfd fd = {events_.get(), POLLPRI, 0};
    poll(&fd, 1, static_cast<int>(std::min<int64_t>(left, 100)));
  }
}

absl::Status KillGroup::WaitEmpty(absl::Duration timeout) {
  const absl::Status status = WaitFor("populated", false, timeout);
  return absl::IsDeadlineExceeded(status)
             ? absl::DeadlineExceededError("killed processes did not go away")
             : status;
}

absl::Status KillGroup::Freeze(absl::Duration timeout) {
  RETURN_IF_ERROR(directory_.Write("cgroup.freeze", "1"));
  return WaitFor("frozen", true, timeout);
}

int CpusOnline() {
  // Once: sysconf(3) reads files for it.
  static const int cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  return cpus;
}

int UsableCpus(const CgroupOptions& options) {
  return options.cpuset_size > 0 ? options.cpuset_size : CpusOnline();
}

int64_t CpuQuotaMicros(double cpus, int usable) {
  if (cpus >= usable) return -1;
  // 1 ms is the smallest quota the kernel takes.
  return std::max<int64_t>(
      1000, std::llround(cpus * static_cast<double>(kCpuPeriodMicros)));
}

}  // namespace paddock
