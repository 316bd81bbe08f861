#include "worker/base/epoll_watches.h"

#include <fcntl.h>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {

absl::StatusOr<int64_t> ReadEpollWatches(int sysctl) {
  ASSIGN_OR_RETURN(
      const std::string text,
      ReadFileAt(sysctl, sysctl == AT_FDCWD
                             ? "/proc/sys/fs/epoll/max_user_watches"
                             : "fs/epoll/max_user_watches"));
  int64_t watches = 0;
  if (!absl::SimpleAtoi(text, &watches)) {
    return absl::InternalError(
        absl::StrCat("fs.epoll.max_user_watches holds '", text, "'"));
  }
  return watches;
}

int64_t EpollStallMilliseconds(int64_t watches) { return watches / 2500; }

std::string EpollWarning(int64_t watches) {
  if (watches <= kMostSafeEpollWatches) return "";
  return absl::StrCat(
      "fs.epoll.max_user_watches is ", watches,
      ": a program that lets so many wait for one descriptor can stop a CPU "
      "for ",
      EpollStallMilliseconds(watches),
      " ms by a write, as far as its memory limit lets it. sysctl -w "
      "fs.epoll.max_user_watches=",
      kMostSafeEpollWatches, " makes that ",
      EpollStallMilliseconds(kMostSafeEpollWatches),
      " ms; it counts for each user of this host");
}

}  // namespace paddock
