#ifndef PADDOCK_SERVER_CONFIG_LOAD_CONFIG_H_
#define PADDOCK_SERVER_CONFIG_LOAD_CONFIG_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "paddock/config/v1/config.pb.h"
#include "server/config/defaults.h"

namespace paddock {

// Taken if --config names no other; missing is no error.
inline constexpr char kDefaultConfigFile[] = "/etc/paddock/paddock.yaml";

// One field as an environment variable or a flag sets it.
struct Setting {
  std::string origin;  // for messages: "--workers" or "PADDOCK_LOG__LEVEL"
  std::string path;    // "workers.count"
  std::string value;
};

struct ConfigSources {
  // Empty: kDefaultConfigFile, if there is one.
  std::string file;
  // In this order, the last one wins. The environment's before the flags'.
  std::vector<Setting> settings;
};

// The settings in `environment`: PADDOCK_LISTEN__GRPC_ADDRESS sets
// listen.grpc_address. PADDOCK_ variables without "__" are somebody else's.
std::vector<Setting> EnvironmentSettings(char** environment);

// Defaults, under the file, under the settings; complete and checked.
// InvalidArgument lists every problem, one a line.
absl::StatusOr<config::v1::Config> LoadConfig(const ConfigSources& sources,
                                              const HostFacts& host);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFIG_LOAD_CONFIG_H_
