#include "client/cli/host_check.h"

#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace paddock {
namespace {

// Nothing if it is not there or cannot be read.
std::optional<std::string> ReadText(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::set<std::string> Words(absl::string_view text) {
  return absl::StrSplit(text, absl::ByAnyChar(" \t\n,"), absl::SkipEmpty());
}

// The value of "NAME:\tVALUE" in /proc/self/status: proc(5).
std::string StatusField(absl::string_view status, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(status, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (parts.first == name) {
      return std::string(absl::StripAsciiWhitespace(parts.second));
    }
  }
  return "";
}

HostFinding CheckPrivilege(const std::string& root) {
  constexpr int kCapSysAdmin = 21;  // linux/capability.h
  const std::string status = ReadText(root + "/proc/self/status").value_or("");
  const std::vector<std::string> uids =
      absl::StrSplit(StatusField(status, "Uid"), '\t');
  uint64_t capabilities = 0;
  const bool known =
      uids.size() > 1 &&
      absl::SimpleHexAtoi(StatusField(status, "CapEff"), &capabilities);
  if (!known) {
    return {HostState::kUnknown, "privilege", "/proc/self/status is not there"};
  }
  // Either way paddockd makes a user namespace of its own, where it may: that
  // is CheckNamespaces's to say.
  if (uids[1] != "0") {
    return {HostState::kOk, "privilege",
            absl::StrCat("you are user ", uids[1],
                         "; the service can run as you, in a user namespace "
                         "and a cgroup of its own")};
  }
  constexpr uint64_t kToMapIds = 1 << 6 | 1 << 7 | uint64_t{1} << 31;
  if ((capabilities >> kCapSysAdmin & 1) == 0 &&
      (capabilities & kToMapIds) != kToMapIds) {
    return {HostState::kMissing, "privilege",
            "root without CAP_SYS_ADMIN, and without CAP_SETUID, CAP_SETGID "
            "and CAP_SETFCAP, which would do instead: deploy/CONTAINERS.md"};
  }
  return {HostState::kOk, "privilege", "root"};
}

HostFinding CheckKernel(const std::string& root) {
  const std::string release(absl::StripAsciiWhitespace(
      ReadText(root + "/proc/sys/kernel/osrelease").value_or("")));
  int major = 0, minor = 0;
  if (sscanf(release.c_str(), "%d.%d", &major, &minor) != 2) {
    return {HostState::kUnknown, "kernel",
            "/proc/sys/kernel/osrelease is not there"};
  }
  if (major < 5 || (major == 5 && minor < 14)) {
    return {HostState::kMissing, "kernel",
            absl::StrCat("Linux ", release, " is too old: 5.14 or newer")};
  }
  return {HostState::kOk, "kernel", absl::StrCat("Linux ", release)};
}

HostFinding CheckNamespaces(const std::string& root) {
  std::vector<std::string> missing;
  for (const char* name :
       {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
    struct stat info;
    const std::string path = absl::StrCat(root, "/proc/self/ns/", name);
    if (lstat(path.c_str(), &info) != 0) missing.push_back(name);
  }
  if (!missing.empty()) {
    return {HostState::kMissing, "namespaces",
            absl::StrCat("this kernel has none of these kinds: ",
                         absl::StrJoin(missing, ", "))};
  }
  const std::string most(absl::StripAsciiWhitespace(
      ReadText(root + "/proc/sys/user/max_user_namespaces").value_or("")));
  if (most == "0") {
    return {HostState::kMissing, "namespaces",
            "/proc/sys/user/max_user_namespaces is 0: user namespaces are "
            "turned off; sysctl -w user.max_user_namespaces=15000"};
  }
  return {HostState::kOk, "namespaces", "all eight kinds"};
}

struct CgroupMounts {
  std::set<std::string> v1;  // controllers, and options of the mounts
  std::set<std::string> v2;  // controllers
  std::string v2_mount;      // empty: not mounted
};

// /proc/self/mountinfo: "ID PARENT DEV ROOT MOUNTPOINT OPTIONS... - TYPE SOURCE
// SUPEROPTIONS", proc(5).
CgroupMounts FindCgroups(const std::string& root) {
  CgroupMounts mounts;
  const std::string table =
      ReadText(root + "/proc/self/mountinfo").value_or("");
  for (const absl::string_view line : absl::StrSplit(table, '\n')) {
    const std::vector<absl::string_view> halves =
        absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    if (halves.size() != 2) continue;
    const std::vector<absl::string_view> place = absl::StrSplit(halves[0], ' ');
    const std::vector<absl::string_view> kind = absl::StrSplit(halves[1], ' ');
    if (place.size() < 5 || kind.size() < 3) continue;
    if (kind[0] == "cgroup") mounts.v1.merge(Words(kind[2]));
    if (kind[0] == "cgroup2" && mounts.v2_mount.empty()) {
      mounts.v2_mount = std::string(place[4]);
      mounts.v2 = Words(
          ReadText(absl::StrCat(root, mounts.v2_mount, "/cgroup.controllers"))
              .value_or(""));
    }
  }
  return mounts;
}

HostFinding CheckCgroups(const std::string& root) {
  const std::string filesystems =
      ReadText(root + "/proc/filesystems").value_or("");
  if (!absl::StrContains(filesystems, "cgroup2")) {
    return {HostState::kMissing, "cgroups", "this kernel has no cgroup v2"};
  }
  const CgroupMounts mounts = FindCgroups(root);
  std::vector<std::string> found, missing;
  for (const char* name : {"memory", "pids", "cpu"}) {
    if (mounts.v2.count(name) > 0) {
      found.push_back(absl::StrCat(name, " (v2)"));
    } else if (mounts.v1.count(name) > 0) {
      found.push_back(absl::StrCat(name, " (v1)"));
    } else {
      missing.push_back(name);
    }
  }
  if (!missing.empty()) {
    return {HostState::kMissing, "cgroups",
            absl::StrCat("no mounted hierarchy has the controller ",
                         absl::StrJoin(missing, ", "),
                         "; mount cgroup2 on /sys/fs/cgroup, and see that the "
                         "kernel's command line does not disable it")};
  }
  return {HostState::kOk, "cgroups", absl::StrJoin(found, ", ")};
}

HostFinding CheckSeccomp(const std::string& root) {
  const std::optional<std::string> actions =
      ReadText(root + "/proc/sys/kernel/seccomp/actions_avail");
  if (!actions) {
    return {HostState::kMissing, "seccomp", "this kernel has no filters"};
  }
  if (Words(*actions).count("user_notif") == 0) {
    return {HostState::kMissing, "seccomp", "no action user_notif"};
  }
  return {HostState::kOk, "seccomp", "filters with user_notif"};
}

HostFinding CheckLandlock(const std::string& root) {
  const std::optional<std::string> modules =
      ReadText(root + "/sys/kernel/security/lsm");
  if (!modules) {
    return {HostState::kUnknown, "landlock",
            "/sys/kernel/security/lsm cannot be read"};
  }
  if (Words(*modules).count("landlock") == 0) {
    return {HostState::kOptional, "landlock",
            "not active: a second line of defence is missing; add landlock to "
            "lsm= of the kernel's command line"};
  }
  return {HostState::kOk, "landlock", "active"};
}

}  // namespace

std::vector<HostFinding> CheckHost(const std::string& root) {
  return {CheckPrivilege(root), CheckKernel(root),  CheckNamespaces(root),
          CheckCgroups(root),   CheckSeccomp(root), CheckLandlock(root)};
}

}  // namespace paddock
