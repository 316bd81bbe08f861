#ifndef PADDOCK_CLIENT_CLI_REPORT_H_
#define PADDOCK_CLIENT_CLI_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace paddock {

// "paddock: MESSAGE" and a newline, to standard error.
void PrintError(absl::string_view message);

// Why a call to `server` failed, with every detail, and what may help.
void PrintCallError(const std::string& server, const absl::Status& status);

}  // namespace paddock

#endif  // PADDOCK_CLIENT_CLI_REPORT_H_
