#include "server/supervisor/host_ids.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/config/defaults.h"
#include "server/supervisor/user_namespace.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

using internal::v1::SlotIds;

constexpr uint32_t kIdsPerSandbox = 65536;
// More sandboxes than a worker has at a time, warm and dead ones together.
constexpr int64_t kLeastPerSlot = 64;

struct Range {
  int64_t first = 0;
  int64_t count = 0;
  int64_t outside = -1;  // what `first` is in the namespace around ours
};

// "inside outside count" a line.
std::vector<Range> ParseMap(const std::string& map) {
  std::vector<Range> ranges;
  for (absl::string_view line : absl::StrSplit(map, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, ' ', absl::SkipEmpty());
    Range range;
    if (words.size() == 3 && absl::SimpleAtoi(words[0], &range.first) &&
        absl::SimpleAtoi(words[1], &range.outside) &&
        absl::SimpleAtoi(words[2], &range.count)) {
      ranges.push_back(range);
    }
  }
  return ranges;
}

// Whether one line of the map has all of [first, last]. Ranges that lie side by
// side are not joined: nobody maps so.
bool IsMapped(const std::vector<Range>& map, int64_t first, int64_t last) {
  for (const Range& range : map) {
    if (range.first <= first && last < range.first + range.count) return true;
  }
  return false;
}

// The largest range that both maps have.
Range LargestCommon(const std::vector<Range>& a, const std::vector<Range>& b) {
  Range largest;
  for (const Range& left : a) {
    for (const Range& right : b) {
      const int64_t first = std::max(left.first, right.first);
      const int64_t count =
          std::min(left.first + left.count, right.first + right.count) - first;
      if (count > largest.count) largest = {first, count};
    }
  }
  return largest;
}

bool IsWholeHost(const std::vector<Range>& map) {
  return map.size() == 1 && map[0].first == 0 && map[0].count > kLastHostId;
}

// Whether some id of ours is 0 outside.
bool HasHostRoot(const std::vector<Range>& map) {
  return std::any_of(map.begin(), map.end(),
                     [](const Range& range) { return range.outside == 0; });
}

SlotIds MakeSlot(int64_t first, int64_t count, uint32_t per_sandbox,
                 int64_t init, bool nested) {
  SlotIds ids;
  ids.set_first(static_cast<uint32_t>(first));
  ids.set_count(static_cast<uint32_t>(count));
  ids.set_per_sandbox(per_sandbox);
  ids.set_init(static_cast<uint32_t>(init));
  ids.set_nested(nested);
  return ids;
}

}  // namespace

absl::StatusOr<std::vector<SlotIds>> ShareOutIds(
    const config::v1::Config& config, const std::string& uid_map,
    const std::string& gid_map) {
  const std::vector<Range> uids = ParseMap(uid_map);
  const std::vector<Range> gids = ParseMap(gid_map);
  const bool nested = !IsWholeHost(uids) || !IsWholeHost(gids);
  const int64_t base = config.sandbox().host_id_base();
  const int64_t slots = config.workers().count();
  std::vector<SlotIds> shares;

  const int64_t first = base - kInitIdsBelowBase;
  const int64_t last = base + slots * kIdsPerSlot - 1;
  if (IsMapped(uids, first, last) && IsMapped(gids, first, last)) {
    for (int64_t slot = 0; slot < slots; ++slot) {
      shares.push_back(MakeSlot(base + slot * kIdsPerSlot, kIdsPerSlot,
                                kIdsPerSandbox, first + slot, nested));
    }
    return shares;
  }
  if (base != kDefaultHostIdBase) {
    return absl::FailedPreconditionError(absl::StrCat(
        "sandbox.host_id_base: programs would run under the ids ", first,
        " to ", last,
        ", which this user namespace does not map: map them, or leave the "
        "field out, and paddockd takes from those that are there"));
  }
  // The lower half may belong to users of a container.
  Range common = LargestCommon(uids, gids);
  common.first += common.count / 2;
  common.count -= common.count / 2;
  const int64_t each = (common.count - slots) / slots;
  if (each < kLeastPerSlot && (HasHostRoot(uids) || HasHostRoot(gids))) {
    return absl::FailedPreconditionError(absl::StrCat(
        "this user namespace maps root of the one around it, user or group, "
        "and "
        "too few other ids, so programs would have to run as root: map at "
        "least ",
        2 * slots * (kLeastPerSlot + 1),
        " ids, as podman --uidmap 0:100000:65536 does, or none but an "
        "ordinary user's"));
  }
  for (int64_t slot = 0; slot < slots; ++slot) {
    shares.push_back(each >= kLeastPerSlot
                         ? MakeSlot(common.first + slots + slot * each, each, 1,
                                    common.first + slot, nested)
                         : MakeSlot(0, 0, 0, 0, nested));
  }
  return shares;
}

bool HasId(const std::string& map, uint32_t id) {
  return IsMapped(ParseMap(map), id, id);
}

absl::StatusOr<std::vector<SlotIds>> ShareOutOwnIds(
    const config::v1::Config& config) {
  ASSIGN_OR_RETURN(const std::string uid_map,
                   ReadFileAt(AT_FDCWD, "/proc/self/uid_map"));
  ASSIGN_OR_RETURN(const std::string gid_map,
                   ReadFileAt(AT_FDCWD, "/proc/self/gid_map"));
  ASSIGN_OR_RETURN(std::vector<SlotIds> shares,
                   ShareOutIds(config, uid_map, gid_map));
  for (SlotIds& share : shares) {
    share.set_nested(share.nested() || !InInitialUserNamespace());
  }
  return shares;
}

}  // namespace paddock
