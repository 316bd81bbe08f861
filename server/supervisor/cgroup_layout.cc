#include "server/supervisor/cgroup_layout.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

struct CgroupMount {
  bool unified = false;
  bool writable = false;
  std::string root;   // the group the mount shows, as in /proc/self/cgroup
  std::string point;  // where it is mounted
  std::vector<std::string> options;  // of the file system: v1's controllers
};

// mountinfo writes space, tab, newline and backslash as \ and three octal
// digits: proc(5).
std::string Unescape(const std::string& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      result += static_cast<char>((text[i + 1] - '0') * 64 +
                                  (text[i + 2] - '0') * 8 + text[i + 3] - '0');
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

// 35 31 0:32 /root /point rw,relatime [tags] - cgroup cgroup rw,memory
std::vector<CgroupMount> CgroupMounts(const std::string& mountinfo) {
  std::vector<CgroupMount> mounts;
  for (absl::string_view line : absl::StrSplit(mountinfo, '\n')) {
    const std::vector<std::string> halves = absl::StrSplit(line, " - ");
    if (halves.size() != 2) continue;
    const std::vector<std::string> left = absl::StrSplit(halves[0], ' ');
    const std::vector<std::string> right = absl::StrSplit(halves[1], ' ');
    if (left.size() < 6 || right.size() < 3 ||
        (right[0] != "cgroup" && right[0] != "cgroup2")) {
      continue;
    }
    CgroupMount mount;
    mount.unified = right[0] == "cgroup2";
    mount.root = Unescape(left[3]);
    mount.point = Unescape(left[4]);
    const std::vector<std::string> flags = absl::StrSplit(left[5], ',');
    mount.options = absl::StrSplit(right[2], ',');
    mount.writable =
        std::count(flags.begin(), flags.end(), "rw") > 0 &&
        std::count(mount.options.begin(), mount.options.end(), "rw") > 0;
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

bool Shows(const CgroupMount& mount, const CgroupHierarchy& hierarchy) {
  if (mount.unified || hierarchy.unified) {
    return mount.unified == hierarchy.unified;
  }
  return std::count(mount.options.begin(), mount.options.end(),
                    hierarchy.controllers[0]) > 0;
}

// Where `mount` shows the group `path`; empty if it lies outside of it.
std::string DirectoryIn(const CgroupMount& mount, const std::string& path) {
  absl::string_view below = path;
  if (mount.root != "/") {
    if (!absl::ConsumePrefix(&below, mount.root)) return "";
    if (!below.empty() && below[0] != '/') return "";  // /a is not above /ab
  }
  if (absl::StartsWith(below, "/..")) return "";  // above our namespace's root
  if (below == "/" || below.empty()) return mount.point;
  return absl::StrCat(mount.point == "/" ? "" : mount.point, below);
}

// A mount that can be written wins over one that cannot.
std::string FindDirectory(const std::vector<CgroupMount>& mounts,
                          const CgroupHierarchy& hierarchy,
                          const std::string& path) {
  std::string found;
  for (const CgroupMount& mount : mounts) {
    if (!Shows(mount, hierarchy)) continue;
    const std::string directory = DirectoryIn(mount, path);
    if (directory.empty()) continue;
    if (mount.writable) return directory;
    if (found.empty()) found = directory;
  }
  return found;
}

std::string WithoutTrailingSlash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Smallest of memory.max of `directory` and of those above it as far as they
// are cgroups.
int64_t UnifiedLimit(std::string directory, int64_t smallest) {
  for (;;) {
    const auto text = ReadFileAt(AT_FDCWD, directory + "/memory.max");
    const auto type = ReadFileAt(AT_FDCWD, directory + "/cgroup.controllers");
    int64_t limit = 0;
    if (text.ok() && absl::SimpleAtoi(*text, &limit)) {
      smallest = std::min(smallest, limit);
    }
    const size_t slash = directory.rfind('/');
    if (!type.ok() || slash == 0 || slash == std::string::npos) {
      return smallest;
    }
    directory.resize(slash);
  }
}

int64_t V1Limit(const std::string& directory, int64_t smallest) {
  const auto stat = ReadFileAt(AT_FDCWD, directory + "/memory.stat");
  if (!stat.ok()) return smallest;
  for (absl::string_view line : absl::StrSplit(*stat, '\n')) {
    uint64_t limit = 0;
    if (absl::ConsumePrefix(&line, "hierarchical_memory_limit ") &&
        absl::SimpleAtoi(line, &limit)) {
      return static_cast<int64_t>(
          std::min<uint64_t>(limit, static_cast<uint64_t>(smallest)));
    }
  }
  return smallest;
}

}  // namespace

absl::StatusOr<std::vector<CgroupHierarchy>> FindCgroupHierarchies(
    const std::string& self_cgroup, const std::string& mountinfo,
    const std::string& parent) {
  // The kernel leaves the line of v2 out until someone has mounted it once;
  // every process is in its root then.
  CgroupHierarchy unified;
  unified.unified = true;
  unified.own_path = "/";
  std::vector<CgroupHierarchy> found = {unified};
  for (absl::string_view line : absl::StrSplit(self_cgroup, '\n')) {
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (parts.size() != 3) continue;
    if (absl::EndsWith(parts[2], " (deleted)")) {
      return absl::FailedPreconditionError(
          absl::StrCat("the cgroup this process is in was removed: ", line));
    }
    if (parts[0] == "0" && parts[1].empty()) {
      found[0].own_path = parts[2];
      continue;
    }
    CgroupHierarchy hierarchy;
    hierarchy.own_path = parts[2];
    const std::vector<std::string> attached = absl::StrSplit(parts[1], ',');
    for (const char* used : kUsedControllers) {
      if (std::count(attached.begin(), attached.end(), used) > 0) {
        hierarchy.controllers.push_back(used);
      }
    }
    if (!hierarchy.controllers.empty()) found.push_back(std::move(hierarchy));
  }
  const std::vector<CgroupMount> mounts = CgroupMounts(mountinfo);
  for (CgroupHierarchy& hierarchy : found) {
    hierarchy.base_path =
        parent.empty() ? hierarchy.own_path : WithoutTrailingSlash(parent);
    hierarchy.own_directory =
        FindDirectory(mounts, hierarchy, hierarchy.own_path);
    hierarchy.base_directory =
        FindDirectory(mounts, hierarchy, hierarchy.base_path);
  }
  return found;
}

absl::StatusOr<std::vector<CgroupHierarchy>> FindOwnCgroupHierarchies(
    const std::string& parent) {
  ASSIGN_OR_RETURN(const std::string cgroup,
                   ReadFileAt(AT_FDCWD, "/proc/self/cgroup"));
  // A host with many containers has a long one.
  ASSIGN_OR_RETURN(const std::string mountinfo,
                   ReadFileAt(AT_FDCWD, "/proc/self/mountinfo", 64 << 20));
  return FindCgroupHierarchies(cgroup, mountinfo, parent);
}

int64_t UsableMemory(const std::vector<CgroupHierarchy>& hierarchies) {
  int64_t smallest = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    if (hierarchy.own_directory.empty()) continue;
    if (hierarchy.unified) {
      smallest = UnifiedLimit(hierarchy.own_directory, smallest);
    } else if (hierarchy.controllers[0] == "memory") {
      smallest = V1Limit(hierarchy.own_directory, smallest);
    }
  }
  return smallest;
}

}  // namespace paddock
