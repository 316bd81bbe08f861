#ifndef PADDOCK_SERVER_CONFIG_CHECK_CONFIG_H_
#define PADDOCK_SERVER_CONFIG_CHECK_CONFIG_H_

#include <string>

#include "paddock/config/v1/config.pb.h"
#include "server/config/defaults.h"
#include "server/config/yaml_message.h"

namespace paddock {

// What is wrong with the values of a complete configuration, each with the
// path of its field. Looks at the host only for image directories.
Problems CheckConfig(const config::v1::Config& config, const HostFacts& host);

// The checks of `config.requests` alone: check_requests.cc.
void CheckRequests(const config::v1::Requests& requests, const HostFacts& host,
                   Problems* problems);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFIG_CHECK_CONFIG_H_
