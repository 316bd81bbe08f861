#include "worker/sandbox/image_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"
#include "worker/sandbox/mounts.h"

namespace paddock {
namespace {

constexpr size_t kLargestEtcFile = 4 << 20;
constexpr int kDeepestEtc = 6;

// All that a program sees of the host's /etc. What is absent is left out.
constexpr const char* kEtcFromHost[] = {
    "alternatives", "ld.so.cache", "ld.so.conf",
    "ld.so.conf.d", "localtime",   "mono"};  // mono: names of C libraries

constexpr struct {
  const char* name;
  const char* contents;
} kEtcGenerated[] = {
    {"passwd",
     "root:x:0:0:root:/:/bin/sh\n"
     "paddock:x:1000:1000:paddock:/work:/bin/sh\n"
     "nobody:x:65534:65534:nobody:/:/bin/false\n"},
    {"group", "root:x:0:\npaddock:x:1000:\nnogroup:x:65534:\n"},
    {"hosts", "127.0.0.1 localhost paddock\n::1 localhost\n"},
    {"nsswitch.conf",
     "passwd: files\ngroup: files\nhosts: files\nservices: files\n"},
};

absl::StatusOr<std::vector<std::string>> ListDirectory(
    const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(path.c_str()), closedir);
  if (dir == nullptr) return ErrnoStatus(errno, absl::StrCat("opendir ", path));
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  return names;
}

absl::Status WriteFile(const std::string& path, absl::string_view contents) {
  ASSIGN_OR_RETURN(UniqueFd fd,
                   OpenAt(AT_FDCWD, path, O_CREAT | O_EXCL | O_WRONLY, 0644));
  return WriteAll(fd.get(), contents);
}

absl::Status CopySymlink(const std::string& from, const std::string& to) {
  char target[4096];
  const ssize_t n = readlink(from.c_str(), target, sizeof(target) - 1);
  if (n < 0) return ErrnoStatus(errno, absl::StrCat("readlink ", from));
  target[n] = '\0';
  if (symlink(target, to.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("symlink ", to));
  }
  return absl::OkStatus();
}

// Copies what everybody may read: a sandbox must not see more of the host than
// any of its users.
absl::Status CopyPublic(const std::string& from, const std::string& to,
                        int depth = 0) {
  struct stat st;
  if (lstat(from.c_str(), &st) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(errno, absl::StrCat("lstat ", from));
  }
  if (S_ISLNK(st.st_mode)) return CopySymlink(from, to);
  if (S_ISREG(st.st_mode) && (st.st_mode & S_IROTH)) {
    ASSIGN_OR_RETURN(std::string contents,
                     ReadFileAt(AT_FDCWD, from, kLargestEtcFile));
    return WriteFile(to, contents);
  }
  if (!S_ISDIR(st.st_mode) || !(st.st_mode & S_IXOTH) || depth > kDeepestEtc) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(MakeDirectory(to));
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(from));
  for (const std::string& name : names) {
    RETURN_IF_ERROR(CopyPublic(absl::StrCat(from, "/", name),
                               absl::StrCat(to, "/", name), depth + 1));
  }
  return absl::OkStatus();
}

absl::Status BuildHostEtc(const std::string& etc) {
  RETURN_IF_ERROR(MakeDirectory(etc));
  for (const char* name : kEtcFromHost) {
    RETURN_IF_ERROR(
        CopyPublic(absl::StrCat("/etc/", name), absl::StrCat(etc, "/", name)));
  }
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory("/etc"));
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, "java-")) continue;
    RETURN_IF_ERROR(
        CopyPublic(absl::StrCat("/etc/", name), absl::StrCat(etc, "/", name)));
  }
  RETURN_IF_ERROR(MakeDirectory(absl::StrCat(etc, "/ssl")));
  RETURN_IF_ERROR(
      CopyPublic("/etc/ssl/certs", absl::StrCat(etc, "/ssl/certs")));
  for (const auto& file : kEtcGenerated) {
    RETURN_IF_ERROR(
        WriteFile(absl::StrCat(etc, "/", file.name), file.contents));
  }
  return absl::OkStatus();
}

// The host's own device, once it is known to be the one that is meant.
absl::Status BindDevice(const char* name, const std::string& path,
                        unsigned minor_number) {
  RETURN_IF_ERROR(WriteFile(path, ""));
  ASSIGN_OR_RETURN(UniqueFd tree, CloneTree(absl::StrCat("/dev/", name)));
  struct stat st;
  if (fstat(tree.get(), &st) != 0 || !S_ISCHR(st.st_mode) ||
      st.st_rdev != makedev(1, minor_number)) {
    return absl::FailedPreconditionError(
        absl::StrCat("/dev/", name, " of this host is not that device"));
  }
  RETURN_IF_ERROR(SetMountAttributes(
      tree.get(), "", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, false));
  return AttachTree(tree, path);
}

absl::Status MakeDevice(const char* name, const std::string& path,
                        unsigned minor_number) {
  if (mknod(path.c_str(), S_IFCHR | 0666, makedev(1, minor_number)) != 0) {
    if (errno != EPERM) return ErrnoStatus(errno, absl::StrCat("mknod ", path));
    // In a user namespace nobody makes devices: user_namespaces(7).
    return BindDevice(name, path, minor_number);
  }
  if (chmod(path.c_str(), 0666) != 0) {  // whatever the umask is
    return ErrnoStatus(errno, absl::StrCat("chmod ", path));
  }
  return absl::OkStatus();
}

// A tmpfs of its own, because it alone may hold devices.
absl::Status BuildDev(const std::string& dev) {
  RETURN_IF_ERROR(MakeDirectory(dev));
  RETURN_IF_ERROR(
      MountTmpfs(dev, MS_NOSUID | MS_NOEXEC, "mode=755,size=64k,nr_inodes=32"));
  constexpr struct {
    const char* name;
    unsigned minor_number;  // null(4), random(4)
  } kDevices[] = {
      {"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9}};
  for (const auto& device : kDevices) {
    RETURN_IF_ERROR(MakeDevice(device.name, absl::StrCat(dev, "/", device.name),
                               device.minor_number));
  }
  RETURN_IF_ERROR(MakeDirectory(absl::StrCat(dev, "/shm")));
  constexpr std::pair<const char*, const char*> kLinks[] = {
      {"fd", "/proc/self/fd"},
      {"stdin", "/proc/self/fd/0"},
      {"stdout", "/proc/self/fd/1"},
      {"stderr", "/proc/self/fd/2"}};
  for (const auto& [name, target] : kLinks) {
    if (symlink(target, absl::StrCat(dev, "/", name).c_str()) != 0) {
      return ErrnoStatus(errno, absl::StrCat("symlink ", dev, "/", name));
    }
  }
  return SetMountAttributes(AT_FDCWD, dev, MOUNT_ATTR_RDONLY, false);
}

// A top-level entry of an image: links as they are, the rest mounted.
absl::Status AddEntry(const std::string& from, const std::string& to) {
  struct stat st;
  if (lstat(from.c_str(), &st) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(errno, absl::StrCat("lstat ", from));
  }
  if (S_ISLNK(st.st_mode)) return CopySymlink(from, to);
  if (S_ISDIR(st.st_mode)) {
    RETURN_IF_ERROR(MakeDirectory(to));
  } else if (S_ISREG(st.st_mode)) {
    RETURN_IF_ERROR(WriteFile(to, ""));
  } else {
    return absl::OkStatus();  // a device or socket is nothing for a sandbox
  }
  return BindReadOnly(from, to);
}

// Debian's GHC has its package database here: /usr/lib/ghc is a link to it.
absl::Status AddPackageDatabase(const std::string& tree) {
  constexpr char kDatabase[] = "/var/lib/ghc";
  if (access(kDatabase, F_OK) != 0) return absl::OkStatus();
  for (const char* directory : {"/var", "/var/lib"}) {
    RETURN_IF_ERROR(MakeDirectory(absl::StrCat(tree, directory)));
  }
  return CopyPublic(kDatabase, absl::StrCat(tree, kDatabase));
}

absl::Status AddHostEntries(const std::string& tree) {
  // The others are links into /usr, or the like of it on an older host.
  for (const char* name :
       {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"}) {
    RETURN_IF_ERROR(
        AddEntry(absl::StrCat("/", name), absl::StrCat(tree, "/", name)));
  }
  RETURN_IF_ERROR(AddPackageDatabase(tree));
  return BuildHostEtc(absl::StrCat(tree, "/etc"));
}

absl::Status AddDirectoryEntries(const std::string& directory,
                                 const std::string& tree) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(directory));
  for (const std::string& name : names) {
    bool ours = false;
    for (const char* own : {"dev", "proc", "sys", "tmp", "run", "work"}) {
      ours = ours || name == own;
    }
    if (ours) continue;
    RETURN_IF_ERROR(AddEntry(absl::StrCat(directory, "/", name),
                             absl::StrCat(tree, "/", name)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status BuildImageTree(const ImageSource& image, const std::string& tree) {
  RETURN_IF_ERROR(MountTmpfs(tree, MS_NOSUID | MS_NODEV,
                             "mode=755,size=64m,nr_inodes=16384"));
  for (const char* name : {"proc", "tmp", "work"}) {
    RETURN_IF_ERROR(MakeDirectory(absl::StrCat(tree, "/", name)));
  }
  RETURN_IF_ERROR(BuildDev(absl::StrCat(tree, "/dev")));
  if (image.directory.empty()) {
    RETURN_IF_ERROR(AddHostEntries(tree));
  } else {
    RETURN_IF_ERROR(AddDirectoryEntries(image.directory, tree));
  }
  return SetMountAttributes(AT_FDCWD, tree,
                            MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, false);
}

}  // namespace paddock
