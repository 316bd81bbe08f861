#include "server/config/load_config.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "server/config/check_config.h"
#include "server/config/yaml_message.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"
#include "worker/wire/cpu_list.h"

namespace paddock {
namespace {

constexpr char kPrefix[] = "PADDOCK_";
constexpr char kSeparator[] = "__";

void Append(const std::string& origin, const Problems& more,
            Problems* problems) {
  for (const std::string& problem : more) {
    problems->push_back(absl::StrCat(origin, ": ", problem));
  }
}

// The text of the file and its name; both empty where there is none.
absl::StatusOr<std::string> ReadConfigFile(const std::string& asked,
                                           std::string* name) {
  *name = asked.empty() ? kDefaultConfigFile : asked;
  absl::StatusOr<std::string> text = ReadFileAt(AT_FDCWD, *name);
  if (asked.empty() && ErrnoOf(text.status()) == ENOENT) {
    name->clear();
    return std::string();
  }
  return text;
}

// Defaults, then the file `name` with `yaml`, then what wins over it.
config::v1::Config Apply(const ConfigSources& sources, const std::string& name,
                         const std::string& yaml, const HostFacts& host,
                         Problems* problems) {
  config::v1::Config config = DefaultConfig(host);
  Append(name, ApplyYaml(yaml, &config), problems);
  for (const Setting& setting : sources.settings) {
    Append(setting.origin, ApplyValue(setting.path, setting.value, &config),
           problems);
  }
  return config;
}

}  // namespace

std::vector<Setting> EnvironmentSettings(char** environment) {
  std::vector<Setting> settings;
  for (char** entry = environment; *entry != nullptr; ++entry) {
    const char* equals = strchr(*entry, '=');
    if (equals == nullptr) continue;
    const std::string name(*entry, equals - *entry);
    if (!absl::StartsWith(name, kPrefix) ||
        !absl::StrContains(name, kSeparator)) {
      continue;
    }
    const std::string path = absl::AsciiStrToLower(
        absl::StrReplaceAll(name.substr(strlen(kPrefix)), {{kSeparator, "."}}));
    settings.push_back({name, path, equals + 1});
  }
  return settings;
}

absl::StatusOr<config::v1::Config> LoadConfig(const ConfigSources& sources,
                                              const HostFacts& daemon_host) {
  std::string file;
  ASSIGN_OR_RETURN(const std::string yaml, ReadConfigFile(sources.file, &file));
  Problems problems;
  config::v1::Config config =
      Apply(sources, file, yaml, daemon_host, &problems);
  // Defaults follow the CPUs that programs have, which only now are known.
  const auto cpuset = ParseCpuList(config.sandbox().cpuset());
  HostFacts host = daemon_host;
  if (problems.empty() && cpuset.ok() && !cpuset->empty()) {
    host.cpus = static_cast<int>(cpuset->size());
    config = Apply(sources, file, yaml, host, &problems);
  }
  // What could not be read would only be reported twice by the checks.
  if (problems.empty()) {
    FillUnset(host, &config);
    problems = CheckConfig(config, host);
  }
  if (!problems.empty()) {
    return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  }
  return config;
}

}  // namespace paddock
