#ifndef PADDOCK_SERVER_CONFIG_YAML_DOCUMENT_H_
#define PADDOCK_SERVER_CONFIG_YAML_DOCUMENT_H_

#include <yaml-cpp/yaml.h>

#include <string>

#include "absl/status/statusor.h"

namespace paddock {

// The one document in `text`; a null node if there is none. InvalidArgument if
// `text` is no YAML, or more than one document.
absl::StatusOr<YAML::Node> LoadYamlDocument(const std::string& text);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFIG_YAML_DOCUMENT_H_
