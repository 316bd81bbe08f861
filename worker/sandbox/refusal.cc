#include "worker/sandbox/refusal.h"

#include <fcntl.h>

#include <cerrno>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "worker/base/file_util.h"
#include "worker/base/refused_call.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

constexpr char kPayload[] = "paddock/refused";

std::string ReadText(const std::string& path, size_t most = 64 << 10) {
  return ReadFileAt(AT_FDCWD, path, most).value_or("");
}

bool UsedUp(init::SetupStep step, absl::string_view what, int error) {
  using enum init::SetupStep;
  return error == ENOSPC &&
         (step == kCloneInit || step == kUnshareUser ||
          step == kUnshareCgroup ||
          (step == kNone && (absl::StartsWith(what, "unshare") ||
                             absl::StartsWith(what, "clone"))));
}

// Cause and fix; empty if `error` is no refusal.
std::string Explanation(init::SetupStep step, absl::string_view what, int error,
                        const Confinement& confinement) {
  if (UsedUp(step, what, error)) {
    return confinement.no_more_of.empty()
               ? "a limit user.max_*_namespaces is reached: raise it with "
                 "sysctl(8)"
               : absl::StrCat(absl::StrJoin(confinement.no_more_of, ", "),
                              " is 0 on this host: raise it with sysctl(8)");
  }
  if (error != EPERM && error != EACCES && error != ENOSYS) return "";
  if (step == init::SetupStep::kMountProc && error == EPERM &&
      !confinement.masks.empty()) {
    return absl::StrCat(
        "parts of /proc are masked here (", confinement.masks[0],
        confinement.masks.size() > 1 ? ", ..." : "",
        "), and then no user namespace may mount another: leave them visible "
        "(podman --security-opt unmask=ALL, docker --security-opt "
        "systempaths=unconfined; in config.json no maskedPaths and no "
        "readonlyPaths), or give CAP_SYS_ADMIN of the host");
  }
  if (error != ENOSYS && !confinement.security_profile.empty()) {
    return absl::StrCat(
        "the security profile \"", confinement.security_profile,
        "\" confines paddockd: run it without one (podman or docker "
        "--security-opt apparmor=unconfined; in config.json no "
        "apparmorProfile), or allow "
        "mount, umount and pivot_root in it");
  }
  // Filters answer EPERM or ENOSYS; this is a file's mode, or a module's doing.
  if (error == EACCES) return "";
  if (confinement.filtered) {
    return absl::StrCat(
        kRefusedByFilter, kAllowCall,
        // Elsewhere init writes /proc/sys/kernel, which is host root's.
        step == init::SetupStep::kSetHostname
            ? ", or give the container, whose user namespace is its own, "
              "CAP_SYS_ADMIN"
            : "");
  }
  return "this host's kernel or a security module of it forbids it";
}

}  // namespace

Confinement ParseConfinement(absl::string_view status,
                             absl::string_view security_profile,
                             absl::string_view mountinfo) {
  Confinement found;
  found.filtered = absl::StrContains(status, "\nSeccomp:\t2");
  // "docker-default (enforce)", "unconfined", or nothing.
  const absl::string_view profile = absl::StripSuffix(
      security_profile.substr(0, security_profile.find('\0')), "\n");
  if (absl::EndsWith(profile, " (enforce)")) {
    found.security_profile =
        std::string(absl::StripSuffix(profile, " (enforce)"));
  }
  for (absl::string_view line : absl::StrSplit(mountinfo, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    // The one file system that hosts themselves mount below it hides nothing.
    if (words.size() > 4 && absl::StartsWith(words[4], "/proc/") &&
        words[4] != "/proc/sys/fs/binfmt_misc") {
      found.masks.emplace_back(words[4]);
    }
  }
  return found;
}

Confinement ReadConfinement() {
  Confinement found = ParseConfinement(
      ReadText("/proc/self/status"), ReadText("/proc/self/attr/current"),
      ReadText("/proc/self/mountinfo", 64 << 20));
  for (const char* kind :
       {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
    const std::string name = absl::StrCat("user/max_", kind, "_namespaces");
    if (ReadText(absl::StrCat("/proc/sys/", name)) == "0\n") {
      found.no_more_of.push_back(
          absl::StrCat("user.max_", kind, "_namespaces"));
    }
  }
  return found;
}

absl::Status ExplainRefusal(const absl::Status& status, init::SetupStep step,
                            const Confinement& confinement) {
  const std::string explanation =
      Explanation(step, status.message(), ErrnoOf(status), confinement);
  if (explanation.empty()) return status;
  absl::Status refused = absl::FailedPreconditionError(absl::StrCat(
      status.message(), ": ", explanation, " (deploy/CONTAINERS.md)"));
  refused.SetPayload(kPayload, absl::Cord());
  return refused;
}

bool IsRefusal(const absl::Status& status) {
  return status.GetPayload(kPayload).has_value();
}

}  // namespace paddock
