#ifndef PADDOCK_SERVER_CONFIG_YAML_SCALAR_H_
#define PADDOCK_SERVER_CONFIG_YAML_SCALAR_H_

#include <string>

#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace paddock {

// Single values of a message as text, by reflection. Single are numbers, truth
// values, text, enums, and google.protobuf.Duration, which is written as one.

// True for a message that is written as a map.
bool IsPlainMessage(const google::protobuf::FieldDescriptor* field);

// Sets `field` to the value `text` stands for, or appends it if `field` is
// repeated. InvalidArgument says what was expected.
absl::Status SetScalar(const std::string& text,
                       const google::protobuf::FieldDescriptor* field,
                       google::protobuf::Message* message);

// The text of a value; `index` is -1 where `field` is not repeated.
std::string GetScalar(const google::protobuf::Message& message,
                      const google::protobuf::FieldDescriptor* field,
                      int index);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFIG_YAML_SCALAR_H_
