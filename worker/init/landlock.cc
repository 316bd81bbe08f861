#include "worker/init/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace paddock::init {
namespace {

// Debian 12's headers stop at ABI 1: the rest is from the kernel's
// include/uapi/linux/landlock.h.
constexpr uint64_t kRefer = 1ULL << 13;     // ABI 2
constexpr uint64_t kTruncate = 1ULL << 14;  // ABI 3
constexpr uint64_t kIoctlDev = 1ULL << 15;  // ABI 5
constexpr uint64_t kBindTcp = 1ULL << 0;    // ABI 4
constexpr uint64_t kConnectTcp = 1ULL << 1;
constexpr uint64_t kScopeAbstractSocket = 1ULL << 0;  // ABI 6
constexpr uint64_t kScopeSignal = 1ULL << 1;

struct RulesetAttr {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

size_t RulesetAttrSize(int abi) {
  if (abi >= 6) return sizeof(RulesetAttr);
  if (abi >= 4) return offsetof(RulesetAttr, scoped);
  return offsetof(RulesetAttr, handled_access_net);
}

uint64_t AllFileAccess(int abi) {
  uint64_t access = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  if (abi >= 2) access |= kRefer;
  if (abi >= 3) access |= kTruncate;
  if (abi >= 5) access |= kIoctlDev;
  return access;
}

bool AllowBeneath(int ruleset, const char* path, uint64_t access) {
  const int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return false;
  landlock_path_beneath_attr rule = {};
  rule.allowed_access = access;
  rule.parent_fd = fd;
  const long result = syscall(SYS_landlock_add_rule, ruleset,
                              LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  close(fd);
  return result == 0;
}

}  // namespace

int LandlockAbi() {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

bool RestrictWithLandlock(int abi, bool loopback) {
  const uint64_t all = AllFileAccess(abi);
  const uint64_t read = LANDLOCK_ACCESS_FS_EXECUTE |
                        LANDLOCK_ACCESS_FS_READ_FILE |
                        LANDLOCK_ACCESS_FS_READ_DIR;
  const uint64_t write_existing =
      (LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | kIoctlDev) & all;
  const uint64_t own =
      all & ~static_cast<uint64_t>(LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                   LANDLOCK_ACCESS_FS_MAKE_BLOCK);
  RulesetAttr attr = {};
  attr.handled_access_fs = all;
  if (!loopback) attr.handled_access_net = kBindTcp | kConnectTcp;
  attr.scoped = kScopeAbstractSocket | kScopeSignal;
  const int ruleset = static_cast<int>(
      syscall(SYS_landlock_create_ruleset, &attr, RulesetAttrSize(abi), 0));
  if (ruleset < 0) return false;
  const bool ok = AllowBeneath(ruleset, "/", read) &&
                  AllowBeneath(ruleset, "/dev", read | write_existing) &&
                  AllowBeneath(ruleset, "/proc", read | write_existing) &&
                  AllowBeneath(ruleset, "/dev/shm", own) &&
                  AllowBeneath(ruleset, "/tmp", own) &&
                  AllowBeneath(ruleset, "/work", own) &&
                  syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
  const int error = errno;
  close(ruleset);
  errno = error;
  return ok;
}

}  // namespace paddock::init
