#ifndef PADDOCK_SERVER_CONFIG_YAML_MESSAGE_H_
#define PADDOCK_SERVER_CONFIG_YAML_MESSAGE_H_

#include <string>
#include <vector>

#include "google/protobuf/message.h"

namespace paddock {

// YAML on one side, a protobuf message on the other, by the message's
// descriptor. Maps set the fields they name and leave the others as they are;
// a list replaces a repeated field, and a map a map field. Durations and the
// sizes of fields named *_bytes are written as server/config/scalar_text.h
// says.

// What is wrong, one sentence for each field, `sandbox.imagez: no such field
// (line 7)`. Empty: nothing.
using Problems = std::vector<std::string>;

// Puts `yaml` over what `message` holds. `message` is half done if a problem
// is found.
Problems ApplyYaml(const std::string& yaml, google::protobuf::Message* message);

// Sets the one field at `path` ("listen.grpc_address") to `value`: its text as
// it stands for a single value, YAML for a list, a map or a message.
Problems ApplyValue(const std::string& path, const std::string& value,
                    google::protobuf::Message* message);

// Every field of `message` that is set or has no notion of being unset.
// ApplyYaml reads it back.
std::string ToYaml(const google::protobuf::Message& message);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFIG_YAML_MESSAGE_H_
