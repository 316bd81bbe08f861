#include "client/cli/report.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "client/cli/local_files.h"
#include "client/error_text.h"

namespace paddock {

void PrintError(absl::string_view message) {
  // There is nobody left to tell that standard error cannot be written.
  WriteStandardStream(STDERR_FILENO, absl::StrCat("paddock: ", message, "\n"))
      .IgnoreError();
}

void PrintCallError(const std::string& server, const absl::Status& status) {
  PrintError(WithCode(status));
  if (absl::IsUnavailable(status)) {
    PrintError(absl::StrCat(
        "the server asked was ", server,
        " (--server or PADDOCK_SERVER chooses another); `paddock doctor` ",
        "looks for the cause"));
  }
}

}  // namespace paddock
