#include "client/cli/host_check.h"

#include <sys/stat.h>
#include <unistd.h>

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
#include "absl/strings/strip.h"

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

// Numbers of linux/capability.h.
constexpr int kCapSetgid = 6;
constexpr int kCapSetuid = 7;
constexpr int kCapSysAdmin = 21;
constexpr int kCapSetfcap = 31;

// Of this process, and so of a paddockd that its user starts.
struct Rights {
  std::string user;  // a number
  uint64_t capabilities = 0;

  bool Has(int capability) const { return capabilities >> capability & 1; }
};

std::optional<Rights> ReadRights(const std::string& root) {
  const std::string status = ReadText(root + "/proc/self/status").value_or("");
  const std::vector<std::string> uids =
      absl::StrSplit(StatusField(status, "Uid"), '\t');
  Rights rights;
  if (uids.size() < 2 || !absl::SimpleHexAtoi(StatusField(status, "CapEff"),
                                              &rights.capabilities)) {
    return std::nullopt;
  }
  rights.user = uids[1];
  return rights;
}

HostFinding CheckPrivilege(const std::string& root) {
  const std::optional<Rights> rights = ReadRights(root);
  if (!rights) {
    return {HostState::kUnknown, "privilege", "/proc/self/status is not there"};
  }
  // Either way paddockd makes a user namespace of its own, where it may: that
  // is CheckNamespaces's to say.
  if (rights->user != "0") {
    return {HostState::kOk, "privilege",
            absl::StrCat("you are user ", rights->user,
                         "; the service can run as you, in a user namespace "
                         "and a cgroup of its own")};
  }
  const bool can_map_ids = rights->Has(kCapSetuid) && rights->Has(kCapSetgid) &&
                           rights->Has(kCapSetfcap);
  if (!rights->Has(kCapSysAdmin) && !can_map_ids) {
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

constexpr const char* kNamespaces[] = {"cgroup", "ipc",  "mnt",  "net",
                                       "pid",    "time", "user", "uts"};

// The first line of a file below /proc/sys; empty if it is not there.
std::string Setting(const std::string& root, absl::string_view path) {
  return std::string(absl::StripAsciiWhitespace(
      ReadText(absl::StrCat(root, "/proc/sys/", path)).value_or("")));
}

// What forbids user namespaces to all that lack CAP_SYS_ADMIN. Nothing of it
// counts for who has it, nor for who is not known.
std::optional<HostFinding> CheckUnprivilegedNamespaces(
    const std::string& root) {
  const std::optional<Rights> rights = ReadRights(root);
  if (!rights || rights->Has(kCapSysAdmin)) return std::nullopt;
  if (Setting(root, "kernel/unprivileged_userns_clone") == "0") {
    return HostFinding{HostState::kMissing, "namespaces",
                       "kernel.unprivileged_userns_clone is 0: user namespaces "
                       "are for root with CAP_SYS_ADMIN alone; start the "
                       "service so, or sysctl -w "
                       "kernel.unprivileged_userns_clone=1"};
  }
  // Whether there is a profile for paddockd cannot be read without a right.
  if (Setting(root, "kernel/apparmor_restrict_unprivileged_userns") == "1") {
    return HostFinding{HostState::kUnknown, "namespaces",
                       "kernel.apparmor_restrict_unprivileged_userns is 1: "
                       "paddockd needs an AppArmor profile with `userns,`, or "
                       "CAP_SYS_ADMIN, or a 0 there"};
  }
  return std::nullopt;
}

HostFinding CheckNamespaces(const std::string& root) {
  std::vector<std::string> missing;
  for (const char* name : kNamespaces) {
    struct stat info;
    const std::string path = absl::StrCat(root, "/proc/self/ns/", name);
    if (lstat(path.c_str(), &info) != 0) missing.push_back(name);
  }
  if (!missing.empty()) {
    return {HostState::kMissing, "namespaces",
            absl::StrCat("this kernel has none of these kinds: ",
                         absl::StrJoin(missing, ", "))};
  }
  for (const char* name : kNamespaces) {
    const std::string setting = absl::StrCat("max_", name, "_namespaces");
    if (Setting(root, absl::StrCat("user/", setting)) == "0") {
      return {
          HostState::kMissing, "namespaces",
          absl::StrCat("user.", setting, " is 0: namespaces of this kind ",
                       "are turned off; sysctl -w user.", setting, "=15000")};
    }
  }
  return CheckUnprivilegedNamespaces(root).value_or(
      HostFinding{HostState::kOk, "namespaces", "all eight kinds"});
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

constexpr char kToHaveControllers[] =
    "mount cgroup2 on /sys/fs/cgroup, and see that the kernel's command line "
    "does not disable it";

// Whether who is not root may make groups below the one he is in: that it is
// his and has the controllers, cgroups(7), "Cgroups delegation".
bool IsDelegated(const std::string& root, const CgroupMounts& mounts) {
  std::string own;
  const std::string table = ReadText(root + "/proc/self/cgroup").value_or("");
  for (absl::string_view line : absl::StrSplit(table, '\n')) {
    if (absl::ConsumePrefix(&line, "0::")) own = std::string(line);
  }
  const std::string group = absl::StrCat(root, mounts.v2_mount, own);
  const std::set<std::string> controllers =
      Words(ReadText(group + "/cgroup.controllers").value_or(""));
  return controllers.count("memory") > 0 && controllers.count("pids") > 0 &&
         access((group + "/cgroup.subtree_control").c_str(), W_OK) == 0;
}

HostFinding CheckCgroups(const std::string& root) {
  const std::string filesystems =
      ReadText(root + "/proc/filesystems").value_or("");
  if (!absl::StrContains(filesystems, "cgroup2")) {
    return {HostState::kMissing, "cgroups", "this kernel has no cgroup v2"};
  }
  const CgroupMounts mounts = FindCgroups(root);
  const bool unified =
      mounts.v2.count("memory") > 0 && mounts.v2.count("pids") > 0;
  const std::set<std::string>& used = unified ? mounts.v2 : mounts.v1;
  std::vector<std::string> missing, elsewhere;
  for (const char* name : {"memory", "pids"}) {
    if (used.count(name) > 0) continue;
    (mounts.v2.count(name) > 0 ? elsewhere : missing).push_back(name);
  }
  // With v2's two it is not needed: cpu.stat is there without a controller.
  const bool on_v1 = !unified && missing.empty() && elsewhere.empty();
  if (on_v1 && used.count("cpuacct") == 0) missing.push_back("cpuacct");
  if (!missing.empty()) {
    return {
        HostState::kMissing, "cgroups",
        absl::StrCat("no mounted hierarchy has the controller ",
                     absl::StrJoin(missing, ", "), "; ", kToHaveControllers)};
  }
  if (!elsewhere.empty()) {
    return {HostState::kMissing, "cgroups",
            absl::StrCat("of memory and pids ", elsewhere[0],
                         " is on cgroup v2 and the other is on v1: have both "
                         "on one, as with "
                         "systemd.unified_cgroup_hierarchy=1 on the kernel's "
                         "command line")};
  }
  const char* version = unified ? " (v2)" : " (v1)";
  const std::string found = absl::StrCat("memory", version, ", pids", version);
  const std::optional<Rights> rights = ReadRights(root);
  if (unified && rights && rights->user != "0" && !IsDelegated(root, mounts)) {
    return {HostState::kUnknown, "cgroups",
            absl::StrCat(found,
                         "; but the group you are in is not delegated to you: "
                         "start the service in one that is, by its user unit "
                         "or `systemd-run --user --scope -p Delegate=yes "
                         "paddockd ...`")};
  }
  if (used.count("cpu") == 0) {
    return {HostState::kOptional, "cgroups",
            absl::StrCat(found, "; no controller cpu", version,
                         ": jobs that ask for fewer CPUs than the host has "
                         "are refused, unless cgroup.degrade has cpus, and "
                         "sandbox.cpu_weight is an error; to have it, ",
                         kToHaveControllers)};
  }
  return {HostState::kOk, "cgroups", absl::StrCat(found, ", cpu", version)};
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
