#include "worker/sandbox/workspace.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "worker/base/directory_count.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

// 16 or 64 KiB on some arm64 kernels.
const int64_t kPage = sysconf(_SC_PAGESIZE);
// What a file or directory takes of the kernel's memory, roughly, beside what
// is in it.
constexpr int64_t kInodeBytes = 1024;

int64_t RoundUpToPage(int64_t bytes) {
  return (bytes + kPage - 1) / kPage * kPage;
}

absl::Status SetOption(int context, const char* key, const std::string& value) {
  if (fsconfig(context, FSCONFIG_SET_STRING, key, value.c_str(), 0) != 0) {
    return ErrnoStatus(errno, absl::StrCat("fsconfig ", key, "=", value));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> PickFilesystem(int directory) {
  UniqueFd context(fspick(directory, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
  if (!context.valid()) return ErrnoStatus(errno, "fspick /work");
  return context;
}

absl::Status Reconfigure(int context) {
  if (fsconfig(context, FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) != 0) {
    return ErrnoStatus(errno, "reconfigure /work");
  }
  return absl::OkStatus();
}

FileFault FaultOf(int error) {
  switch (error) {
    case ENOENT:
      return FileFault::kNotFound;
    case ELOOP:
      return FileFault::kSymlink;
    case ENOTDIR:
    case EEXIST:
      return FileFault::kParentNotDirectory;
    case ENOSPC:
    case EDQUOT:
      return FileFault::kNoSpace;
    case ENXIO:  // a socket, or a FIFO without a reader
      return FileFault::kNotRegular;
    default:
      return FileFault::kIo;
  }
}

FileProblem ProblemOf(const std::string& path, int error, const char* call) {
  return {path, FaultOf(error), error,
          absl::StrCat(call, ": ", strerror(error))};
}

// Opens the directory `name` in `parent`, making it if it is missing.
absl::StatusOr<UniqueFd> EnterDirectory(int parent, const std::string& name,
                                        uid_t owner) {
  if (mkdirat(parent, name.c_str(), 0755) == 0) {
    if (fchownat(parent, name.c_str(), owner, owner, AT_SYMLINK_NOFOLLOW) != 0)
      return ErrnoStatus(errno, "chown");
  } else if (errno != EEXIST) {
    return ErrnoStatus(errno, "mkdir");
  }
  return OpenAt(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW);
}

absl::Status WriteInput(int root, const std::string& below,
                        const InputFile& input, uid_t owner) {
  std::vector<std::string> names = absl::StrSplit(below, '/');
  const std::string name = std::move(names.back());
  names.pop_back();
  UniqueFd parent;
  int directory = root;
  for (const std::string& component : names) {
    ASSIGN_OR_RETURN(UniqueFd next,
                     EnterDirectory(directory, component, owner));
    parent = std::move(next);
    directory = parent.get();
  }
  ASSIGN_OR_RETURN(UniqueFd fd,
                   OpenAt(directory, name, O_CREAT | O_EXCL | O_WRONLY, 0600));
  RETURN_IF_ERROR(WriteAll(fd.get(), input.data));
  // Owned by root of the host, a file can be read but not written or chmod'ed.
  const mode_t mode =
      (input.writable ? 0644 : 0444) | (input.executable ? 0111 : 0);
  if (input.writable && fchown(fd.get(), owner, owner) != 0) {
    return ErrnoStatus(errno, "chown");
  }
  if (fchmod(fd.get(), mode) != 0) return ErrnoStatus(errno, "chmod");
  return absl::OkStatus();
}

// Everything about the tree is hostile: its names, types, modes and sizes.
UniqueFd OpenHostile(int root, const std::string& below) {
  open_how how = {};
  how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
                RESOLVE_NO_XDEV;
  return UniqueFd(static_cast<int>(
      syscall(SYS_openat2, root, below.c_str(), &how, sizeof(how))));
}

// False with errno; EIO for a file that is shorter than it said.
bool ReadExactly(int fd, size_t bytes, std::string* data) {
  data->resize(bytes);
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = pread(fd, &(*data)[done], bytes - done, done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      if (n == 0) errno = EIO;
      data->clear();
      return false;
    }
    done += n;
  }
  return true;
}

CollectedOutput CollectOutput(int root, const std::string& below,
                              const OutputFile& output, int64_t budget_bytes) {
  CollectedOutput result;
  result.path = output.path;
  const UniqueFd fd = OpenHostile(root, below);
  if (!fd.valid()) {
    result.missing_and_optional = errno == ENOENT && output.optional;
    result.problem = ProblemOf(output.path, errno, "open");
    return result;
  }
  const int64_t limit = std::min(output.limit_bytes, budget_bytes);
  struct stat st;
  if (fstat(fd.get(), &st) != 0) {
    result.problem = ProblemOf(output.path, errno, "fstat");
  } else if (!S_ISREG(st.st_mode)) {
    result.problem = {output.path, FileFault::kNotRegular, 0,
                      "not a regular file"};
  } else if (st.st_size > limit) {
    result.problem = {output.path, FileFault::kTooLarge, 0,
                      absl::StrCat(st.st_size, " bytes, over ",
                                   limit == output.limit_bytes
                                       ? "its limit of "
                                       : "what the response has room for "
                                         "(inline_budget_bytes), ",
                                   limit)};
  } else if (!ReadExactly(fd.get(), st.st_size, &result.data)) {
    result.problem = ProblemOf(output.path, errno, "read");
  } else {
    result.executable = (st.st_mode & S_IXUSR) != 0;
  }
  return result;
}

}  // namespace

int Workspace::Locate(const std::string& path, std::string* below) const {
  const std::pair<const char*, int> roots[] = {{"/work/", work_.get()},
                                               {"/tmp/", tmp_.get()},
                                               {"/dev/shm/", shm_.get()}};
  for (const auto& [prefix, fd] : roots) {
    if (absl::StartsWith(path, prefix)) {
      *below = path.substr(strlen(prefix));
      return fd;
    }
  }
  return -1;
}

absl::Status Workspace::SetBounds(const ProgramLimits& limits,
                                  const std::vector<InputFile>& inputs) {
  int64_t bytes = std::max(limits.workspace_bytes, kPage);
  int64_t inodes = limits.workspace_inodes + 1;  // the directory itself
  std::vector<absl::string_view> paths = {"/work/"};
  for (const InputFile& input : inputs) {
    if (!absl::StartsWith(input.real_path, "/work/")) continue;
    paths.push_back(input.real_path);
    if (input.writable) continue;
    bytes += RoundUpToPage(input.data.size());
    inodes += 1;
  }
  inodes += CountDirectories(paths) - CountDirectories({"/work/"});
  if (bytes == bytes_ && inodes == inodes_) return absl::OkStatus();
  ASSIGN_OR_RETURN(UniqueFd context, PickFilesystem(work_.get()));
  RETURN_IF_ERROR(SetOption(context.get(), "size", absl::StrCat(bytes)));
  RETURN_IF_ERROR(SetOption(context.get(), "nr_inodes", absl::StrCat(inodes)));
  RETURN_IF_ERROR(Reconfigure(context.get()));
  bytes_ = bytes;
  inodes_ = inodes;
  return absl::OkStatus();
}

absl::Status Workspace::MakeWorkReadOnly() {
  ASSIGN_OR_RETURN(UniqueFd context, PickFilesystem(work_.get()));
  if (fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0) != 0) {
    return ErrnoStatus(errno, "fsconfig ro");
  }
  return Reconfigure(context.get());
}

std::vector<FileProblem> Workspace::WriteInputs(
    const std::vector<InputFile>& inputs, uid_t owner) {
  std::vector<FileProblem> problems;
  for (const InputFile& input : inputs) {
    std::string below;
    const int root = Locate(input.real_path, &below);
    const absl::Status status =
        root < 0 ? absl::InternalError("not below a writable directory")
                 : WriteInput(root, below, input, owner);
    if (status.ok()) continue;
    const int error = ErrnoOf(status);
    problems.push_back(
        {input.path, FaultOf(error), error, std::string(status.message())});
  }
  return problems;
}

std::vector<CollectedOutput> Workspace::CollectOutputs(
    const std::vector<OutputFile>& outputs, int64_t budget_bytes) {
  std::vector<CollectedOutput> collected;
  for (const OutputFile& output : outputs) {
    std::string below;
    const int root = Locate(output.real_path, &below);
    collected.push_back(CollectOutput(root, below, output, budget_bytes));
    budget_bytes -= static_cast<int64_t>(collected.back().data.size());
  }
  return collected;
}

int64_t Workspace::UsedBytes() const {
  int64_t bytes = 0;
  for (const int fd : {work_.get(), tmp_.get(), shm_.get()}) {
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0) continue;
    bytes += static_cast<int64_t>(fs.f_blocks - fs.f_bfree) * fs.f_bsize;
    bytes += static_cast<int64_t>(fs.f_files - fs.f_ffree) * kInodeBytes;
  }
  return bytes;
}

void Workspace::CheckFull(bool* bytes_full, bool* inodes_full) {
  for (const int fd : {work_.get(), tmp_.get(), shm_.get()}) {
    struct statfs fs;
    if (fstatfs(fd, &fs) != 0) continue;
    if ((fs.f_flags & ST_RDONLY) != 0) continue;
    *bytes_full = *bytes_full || fs.f_bfree == 0;
    *inodes_full = *inodes_full || fs.f_ffree == 0;
  }
}

}  // namespace paddock
