#include "worker/init/proc_mask.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace paddock::init {
namespace {

// What build tools, ps and run-times read. Everything else is covered, so that
// what a later kernel or module adds is, too: of those known kcore, kmsg, keys,
// kallsyms, kpage*, slabinfo, vmallocinfo, timer_list, iomem, interrupts,
// sysrq-trigger, and the directories acpi, asound, bus, fs, irq, scsi.
constexpr const char* kShown[] = {
    "cpuinfo", "filesystems", "loadavg", "meminfo", "mounts",
    "net",     "self",        "stat",    "swaps",   "sys",
    "sysvipc", "thread-self", "uptime",  "version", "vmstat"};

bool IsShown(const char* name) {
  if (*name == '.' || (*name >= '0' && *name <= '9')) return true;
  for (const char* shown : kShown) {
    if (strcmp(name, shown) == 0) return true;
  }
  return false;
}

int OpenEntry(int proc, const char* name, uint64_t more) {
  open_how how = {};
  how.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  how.resolve =
      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | more;
  return static_cast<int>(syscall(SYS_openat2, proc, name, &how, sizeof(how)));
}

// Mounts a clone of `source`, with the flags `attributes` beside its own, over
// the entry at `target`, and looks whether the name now leads there.
bool Cover(int proc, const char* name, int target, int source,
           uint64_t attributes) {
  const int tree = open_tree(
      source, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (tree < 0) return false;
  mount_attr attr = {};
  attr.attr_set = attributes;
  struct stat wanted = {};
  struct stat found = {};
  const bool covered =
      syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr,
              sizeof(attr)) == 0 &&
      move_mount(tree, "", target, "",
                 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0 &&
      fstat(source, &wanted) == 0;
  close(tree);
  if (!covered) return false;
  const int now = OpenEntry(proc, name, 0);
  if (now < 0 || fstat(now, &found) != 0) return false;
  close(now);
  errno = ESTALE;
  return found.st_dev == wanted.st_dev && found.st_ino == wanted.st_ino;
}

bool CoverEntry(int proc, const char* name, int file, int directory) {
  const int target = OpenEntry(proc, name, RESOLVE_NO_XDEV);
  if (target < 0) return errno == ENOENT;  // went away with its module
  struct stat st;
  if (fstat(target, &st) != 0) return false;
  bool covered = false;
  if (S_ISDIR(st.st_mode)) {
    covered = Cover(proc, name, target, directory, MOUNT_ATTR_RDONLY);
  } else if (S_ISREG(st.st_mode)) {
    covered = Cover(proc, name, target, file, MOUNT_ATTR_RDONLY);
  } else {
    errno = ENOTSUP;
  }
  close(target);
  return covered;
}

// A second line: the checks of sysctls ask for the host's root.
bool MakeSysReadOnly(int proc) {
  const int sys = OpenEntry(proc, "sys", RESOLVE_NO_XDEV);
  if (sys < 0) return false;
  const bool done = Cover(proc, "sys", sys, sys,
                          MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
                              MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  close(sys);
  return done;
}

bool CoverEntries(int proc, int file, int directory) {
  alignas(dirent64) char buffer[4096];
  for (;;) {
    const ssize_t bytes = getdents64(proc, buffer, sizeof(buffer));
    if (bytes <= 0) return bytes == 0;
    for (ssize_t at = 0; at < bytes;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer + at);
      at += entry->d_reclen;
      if (!IsShown(entry->d_name) &&
          !CoverEntry(proc, entry->d_name, file, directory)) {
        return false;
      }
    }
  }
}

}  // namespace

bool MaskProc() {
  constexpr int kFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  const int proc =
      open("proc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  const int file = open("dev/null", kFlags);
  const int directory = open("work", kFlags | O_DIRECTORY);
  if (proc < 0 || file < 0 || directory < 0) return false;
  if (!CoverEntries(proc, file, directory) || !MakeSysReadOnly(proc)) {
    return false;
  }
  return close(proc) == 0 && close(file) == 0 && close(directory) == 0;
}

}  // namespace paddock::init
