#include "server/config/profiles.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "server/config/config_name.h"
#include "server/config/scalar_text.h"
#include "worker/wire/process_check.h"

namespace paddock {
namespace {

constexpr char kCi[] = "ci";
constexpr v1::Weakening kCiWeakenings[] = {v1::WEAKENING_FULL_PROC,
                                           v1::WEAKENING_INOTIFY};

const char* EffectOf(v1::Weakening weakening) {
  switch (weakening) {
    case v1::WEAKENING_FULL_PROC:
      return "programs read figures of the whole host in /proc";
    case v1::WEAKENING_INOTIFY:
      return "programs see when others open files of their image";
    case v1::WEAKENING_PTRACE:
      return "programs trace processes of their own sandbox, and the worker's "
             "filter allows it to itself";
    default:
      return "";
  }
}

void CheckWeakenings(const std::string& path, const v1::Profile& profile,
                     Problems* problems) {
  const bool is_default = profile.name() == kDefaultProfile;
  if (is_default != profile.weakenings().empty()) {
    problems->push_back(absl::StrCat(
        path, ".weakenings: ",
        is_default ? "'default' weakens nothing; give what does another name"
                   : "empty, which is what 'default' is"));
  }
  std::set<int> seen;
  for (const int token : profile.weakenings()) {
    if (*EffectOf(static_cast<v1::Weakening>(token)) == '\0') {
      problems->push_back(
          absl::StrCat(path, ".weakenings: there is no weakening ", token));
    } else if (!seen.insert(token).second) {
      problems->push_back(
          absl::StrCat(path, ".weakenings: '",
                       FormatEnumText(v1::Weakening_descriptor(), token),
                       "' is given twice"));
    }
  }
}

}  // namespace

void FillProfiles(config::v1::Sandbox* sandbox) {
  auto& profiles = *sandbox->mutable_profiles();
  bool has_default = false;
  for (v1::Profile& profile : profiles) {
    has_default = has_default || profile.name() == kDefaultProfile;
    if (profile.name() != kCi || !profile.weakenings().empty()) continue;
    for (const v1::Weakening weakening : kCiWeakenings) {
      profile.add_weakenings(weakening);
    }
  }
  if (has_default) return;
  profiles.Add()->set_name(kDefaultProfile);
  for (int i = profiles.size() - 1; i > 0; --i) profiles.SwapElements(i, i - 1);
}

void CheckProfiles(const config::v1::Sandbox& sandbox, Problems* problems) {
  std::set<std::string> names;
  for (int i = 0; i < sandbox.profiles_size(); ++i) {
    const v1::Profile& profile = sandbox.profiles(i);
    const std::string path = absl::StrCat("sandbox.profiles[", i, "]");
    CheckConfigName(absl::StrCat(path, ".name"), profile.name(), &names,
                    problems);
    CheckWeakenings(path, profile, problems);
  }
}

std::vector<std::string> DescribeWeakenings(
    const config::v1::Sandbox& sandbox) {
  std::vector<std::string> lines;
  for (const v1::Profile& profile : sandbox.profiles()) {
    for (const int token : profile.weakenings()) {
      lines.push_back(
          absl::StrCat("profile ", profile.name(), " weakens sandboxes by ",
                       FormatEnumText(v1::Weakening_descriptor(), token), ": ",
                       EffectOf(static_cast<v1::Weakening>(token))));
    }
  }
  return lines;
}

bool HasProfile(const config::v1::Config& config, absl::string_view name) {
  if (name.empty() || name == kDefaultProfile) return true;
  for (const v1::Profile& profile : config.sandbox().profiles()) {
    if (profile.name() == name) return true;
  }
  return false;
}

}  // namespace paddock
