#ifndef PADDOCK_SERVER_CONFIG_SCALAR_TEXT_H_
#define PADDOCK_SERVER_CONFIG_SCALAR_TEXT_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"

namespace paddock {

// How single values are written in the configuration. Each Parse function
// answers InvalidArgument with what was expected; each Format function writes
// what its Parse function reads back as the same value.

// Bytes: a whole number, or one with the unit KiB, MiB, GiB or TiB.
absl::StatusOr<int64_t> ParseBytes(const std::string& text);
std::string FormatBytes(int64_t bytes);

// A time with units, as in 2s, 500ms or 1h30m.
absl::StatusOr<google::protobuf::Duration> ParseDurationText(
    const std::string& text);
std::string FormatDurationText(const google::protobuf::Duration& duration);

// A file mode in octal, as chmod(1) takes it: at most 0777.
absl::StatusOr<uint32_t> ParseFileMode(const std::string& text);

// A value of an enum: in lower case, without the prefix that the type's name
// gives it. The value 0 means that nothing was said and cannot be written.
absl::StatusOr<int> ParseEnumText(const google::protobuf::EnumDescriptor* type,
                                  const std::string& text);
std::string FormatEnumText(const google::protobuf::EnumDescriptor* type,
                           int number);

struct HostPort {
  std::string host;  // a name, an IPv4 address, or an IPv6 one without brackets
  int port = 0;
};
// "host:port", the host in brackets if it is an IPv6 address.
absl::StatusOr<HostPort> ParseHostPort(const std::string& text);

}  // namespace paddock

#endif  // PADDOCK_SERVER_CONFIG_SCALAR_TEXT_H_
