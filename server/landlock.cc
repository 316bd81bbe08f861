#include "server/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "worker/base/status_macros.h"
#include "worker/base/unique_fd.h"

namespace paddock {
namespace {

// linux/landlock.h of Debian 12 ends at ABI 2. Values from the kernel's, by
// the ABI that brought them.
constexpr uint64_t kTruncate = 1ull << 14;      // 3
constexpr uint64_t kBindTcp = 1ull << 0;        // 4, network
constexpr uint64_t kConnectTcp = 1ull << 1;     // 4, network
constexpr uint64_t kIoctlDevice = 1ull << 15;   // 5
constexpr uint64_t kScopeAbstract = 1ull << 0;  // 6, scope
constexpr uint64_t kScopeSignal = 1ull << 1;    // 6, scope
constexpr int kRuleNetPort = 2;

// Grows at its end; a kernel takes a shorter one: landlock_create_ruleset(2).
struct RulesetAttr {
  uint64_t handled_fs;
  uint64_t handled_net;
  uint64_t scoped;
};
struct NetPortAttr {
  uint64_t allowed;
  uint64_t port;
};

constexpr uint64_t kRead =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kMakeSockets =
    kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_SOCK |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | kTruncate;
// Rights that a rule on a file may have.
constexpr uint64_t kOfFiles = LANDLOCK_ACCESS_FS_READ_FILE |
                              LANDLOCK_ACCESS_FS_WRITE_FILE |
                              LANDLOCK_ACCESS_FS_EXECUTE | kTruncate;

RulesetAttr HandledBy(int abi, bool all_ports) {
  RulesetAttr attr = {};
  attr.handled_fs = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1;  // all of ABI 1
  if (abi >= 2) attr.handled_fs |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) attr.handled_fs |= kTruncate;
  if (abi >= 4) attr.handled_net = kConnectTcp | (all_ports ? 0 : kBindTcp);
  if (abi >= 5) attr.handled_fs |= kIoctlDevice;
  if (abi >= 6) attr.scoped = kScopeAbstract | kScopeSignal;
  return attr;
}

size_t AttrSize(int abi) {
  if (abi >= 6) return sizeof(RulesetAttr);
  return abi >= 4 ? offsetof(RulesetAttr, scoped)
                  : offsetof(RulesetAttr, handled_net);
}

absl::Status Allow(int ruleset, const std::string& path, uint64_t rights) {
  const UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoStatus(errno, absl::StrCat("open ", path));
  }
  struct stat st;
  if (fstat(fd.get(), &st) != 0) {
    return ErrnoStatus(errno, absl::StrCat("stat ", path));
  }
  landlock_path_beneath_attr attr = {};
  attr.allowed_access = S_ISDIR(st.st_mode) ? rights : rights & kOfFiles;
  attr.parent_fd = fd.get();
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr,
              0) != 0) {
    return ErrnoStatus(errno, absl::StrCat("landlock_add_rule for ", path));
  }
  return absl::OkStatus();
}

absl::Status AllowBind(int ruleset, uint16_t port) {
  const NetPortAttr attr = {.allowed = kBindTcp, .port = port};
  if (syscall(SYS_landlock_add_rule, ruleset, kRuleNetPort, &attr, 0) != 0) {
    return ErrnoStatus(errno, absl::StrCat("landlock_add_rule for ", port));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> ConfineByLandlock(const LandlockRules& rules) {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0,
                           LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 0) {
    // Not built, or not switched on at boot.
    if (errno == ENOSYS || errno == EOPNOTSUPP) return 0;
    return ErrnoStatus(errno, "landlock_create_ruleset for its version");
  }
  const RulesetAttr attr = HandledBy(abi, !rules.bind_ports.has_value());
  const UniqueFd ruleset(
      syscall(SYS_landlock_create_ruleset, &attr, AttrSize(abi), 0));
  if (!ruleset.valid()) return ErrnoStatus(errno, "landlock_create_ruleset");
  for (const std::string& path : rules.readable) {
    RETURN_IF_ERROR(Allow(ruleset.get(), path, kRead & attr.handled_fs));
  }
  for (const std::string& path : rules.socket_directories) {
    RETURN_IF_ERROR(Allow(ruleset.get(), path, kMakeSockets & attr.handled_fs));
  }
  if (attr.handled_net & kBindTcp) {
    for (const uint16_t port : *rules.bind_ports) {
      RETURN_IF_ERROR(AllowBind(ruleset.get(), port));
    }
  }
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0) {
    return ErrnoStatus(errno, "landlock_restrict_self");
  }
  return static_cast<int>(abi);
}

}  // namespace paddock
