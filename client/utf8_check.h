#ifndef PADDOCK_CLIENT_UTF8_CHECK_H_
#define PADDOCK_CLIENT_UTF8_CHECK_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace paddock {

// True if `text` is UTF-8: shortest forms only, no surrogates, nothing above
// U+10FFFF (RFC 3629).
bool IsUtf8(absl::string_view text);

// InvalidArgument that names the first string field of `message` that is not
// UTF-8, as `job.process.argv[1]`. protobuf would send it all the same, and
// gRPC refuse it at the other end without a word.
absl::Status CheckUtf8(const google::protobuf::Message& message);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_UTF8_CHECK_H_
