#include "worker/sandbox/inotify_share.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

// The host's own limit, and that of the user namespace we are in, which is
// none unless somebody has set it: the lower one counts.
absl::StatusOr<std::string> Share(int sysctl, const char* host,
                                  const char* here, int workers) {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const char* file : {host, here}) {
    absl::StatusOr<std::string> text = ReadFileAt(sysctl, file);
    if (absl::IsNotFound(text.status())) return "";  // no inotify in the kernel
    RETURN_IF_ERROR(text.status());
    int64_t limit = 0;
    if (!absl::SimpleAtoi(*text, &limit)) {
      return absl::InternalError(absl::StrCat(file, " holds '", *text, "'"));
    }
    least = std::min(least, limit);
  }
  return absl::StrCat(std::max<int64_t>(1, least / (workers + 1)));
}

}  // namespace

absl::StatusOr<InotifyShare> ShareInotify(int sysctl, int workers) {
  InotifyShare share;
  ASSIGN_OR_RETURN(share.instances,
                   Share(sysctl, "fs/inotify/max_user_instances",
                         "user/max_inotify_instances", workers));
  ASSIGN_OR_RETURN(share.watches, Share(sysctl, "fs/inotify/max_user_watches",
                                        "user/max_inotify_watches", workers));
  return share;
}

}  // namespace paddock
