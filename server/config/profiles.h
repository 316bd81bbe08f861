#ifndef PADDOCK_SERVER_CONFIG_PROFILES_H_
#define PADDOCK_SERVER_CONFIG_PROFILES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "paddock/config/v1/config.pb.h"
#include "server/config/yaml_message.h"

namespace paddock {

// Puts "default" first into the list of profiles where it is missing, and gives
// a built-in one that lists no weakening its own.
void FillProfiles(config::v1::Sandbox* sandbox);

// Names, tokens that are known and given once, nothing in "default" and
// something in every other.
void CheckProfiles(const config::v1::Sandbox& sandbox, Problems* problems);

// A line for the log for each weakening of each profile: which, and what it
// opens.
std::vector<std::string> DescribeWeakenings(const config::v1::Sandbox& sandbox);

// Whether a process may ask for the profile `name`; empty: "default".
bool HasProfile(const config::v1::Config& config, absl::string_view name);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFIG_PROFILES_H_
