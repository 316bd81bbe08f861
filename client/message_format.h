#ifndef PADDOCK_CLIENT_MESSAGE_FORMAT_H_
#define PADDOCK_CLIENT_MESSAGE_FORMAT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace paddock {

// How a message is written for people and files.
enum class MessageFormat {
  kJson,  // protobuf JSON, lowerCamelCase names, bytes in base64
  kText,  // protobuf text format
};

// Which of the two `content` is. JSON messages start with '{', which the text
// format never does; white space and the comments of the text format before it
// do not count.
MessageFormat GuessFormat(absl::string_view content);

// Parses `content`, in either format, into `message`. A field or enum value
// that does not exist is an error. InvalidArgument says where and why.
absl::Status ParseMessage(absl::string_view content,
                          google::protobuf::Message* message);

// Over several lines, with a newline at the end. Internal for a message that
// holds no valid UTF-8 where it should.
absl::StatusOr<std::string> PrintMessage(
    const google::protobuf::Message& message, MessageFormat format);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_MESSAGE_FORMAT_H_
