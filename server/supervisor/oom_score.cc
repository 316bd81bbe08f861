#include "server/supervisor/oom_score.h"

#include <fcntl.h>

#include <cerrno>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/supervisor/privileges.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

constexpr char kFile[] = "/proc/self/oom_score_adj";

}  // namespace

absl::Status LookAtOomScore(OomScore* score) {
  ASSIGN_OR_RETURN(const std::string text, ReadFileAt(AT_FDCWD, kFile));
  if (!absl::SimpleAtoi(text, &score->adjustment)) {
    return absl::InternalError(absl::StrCat(kFile, " holds '", text, "'"));
  }
  score->can_be_fixed = HasSysResourceOfHost();
  if (score->can_be_fixed) return absl::OkStatus();  // nobody needs to know
  const absl::Status lowered = WriteControlAt(AT_FDCWD, kFile, "-1000");
  if (ErrnoOf(lowered) == EACCES) return absl::OkStatus();
  RETURN_IF_ERROR(lowered);
  score->can_be_lowest = true;
  return WriteControlAt(AT_FDCWD, kFile, absl::StrCat(score->adjustment));
}

absl::Status CheckOomScore(const OomScore& score) {
  if (!score.can_be_lowest || score.can_be_fixed) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "oom_score_adj: paddockd was started with ", score.adjustment,
      " and may set it to -1000, and so could programs, which the kernel would "
      "then never end when their memory is used up. Start it with more "
      "(OOMScoreAdjust=0 in a unit of the system, oomScoreAdj in config.json), "
      "or with CAP_SYS_RESOURCE, which takes the right away for good"));
}

}  // namespace paddock
