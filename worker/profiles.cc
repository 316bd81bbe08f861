#include "worker/profiles.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "worker/base/status_macros.h"
#include "worker/policy/seccomp_policy.h"
#include "worker/wire/process_check.h"

namespace paddock {
namespace {

absl::StatusOr<Weakenings> ToWeakenings(const v1::Profile& profile) {
  Weakenings weakenings;
  for (const int token : profile.weakenings()) {
    switch (token) {
      case v1::WEAKENING_FULL_PROC:
        weakenings.Weaken(Weakening::kFullProc);
        continue;
      case v1::WEAKENING_INOTIFY:
        weakenings.Weaken(Weakening::kInotify);
        continue;
      case v1::WEAKENING_PTRACE:
        weakenings.Weaken(Weakening::kPtrace);
        continue;
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "profile `", profile.name(), "`: unknown weakening ", token));
  }
  if (profile.name() == kDefaultProfile && weakenings != Weakenings()) {
    return absl::InvalidArgumentError("profile `default` weakens something");
  }
  return weakenings;
}

absl::StatusOr<SandboxProfile> Compile(Weakenings weakenings) {
  SandboxProfile profile;
  profile.full_proc = weakenings.Has(Weakening::kFullProc);
  for (const bool internet_sockets : {false, true}) {
    ASSIGN_OR_RETURN(profile.filters[internet_sockets],
                     CompileSandboxFilter({.internet_sockets = internet_sockets,
                                           .weakenings = weakenings}));
  }
  return profile;
}

}  // namespace

absl::StatusOr<std::map<std::string, SandboxProfile>> MakeProfiles(
    const config::v1::Sandbox& config, Weakenings* weakenings) {
  std::map<std::string, SandboxProfile> profiles;
  ASSIGN_OR_RETURN(profiles[kDefaultProfile], Compile({}));
  for (const v1::Profile& entry : config.profiles()) {
    ASSIGN_OR_RETURN(const Weakenings tokens, ToWeakenings(entry));
    ASSIGN_OR_RETURN(profiles[entry.name()], Compile(tokens));
    weakenings->Weaken(tokens);
  }
  return profiles;
}

}  // namespace paddock
