#ifndef PADDOCK_CLIENT_ERROR_TEXT_H_
#define PADDOCK_CLIENT_ERROR_TEXT_H_

#include <string>

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace paddock {

// The message of a failed call and every detail the server sent with it, one to
// a line: which field is wrong and why, when to try again, which quota is
// exceeded, the job's id. Control characters are escaped: parts of it may be a
// client's own bytes.
std::string ErrorText(const grpc::Status& status);

// "INVALID_ARGUMENT: ..." for people.
std::string WithCode(const absl::Status& status);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_ERROR_TEXT_H_
