#ifndef PADDOCK_SERVER_LANDLOCK_H_
#define PADDOCK_SERVER_LANDLOCK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace paddock {

// What a process may still reach once it is confined.
struct LandlockRules {
  std::vector<std::string> readable;  // files, or trees of them
  // Directories in which sockets and lock files are made, used and removed.
  std::vector<std::string> socket_directories;
  // TCP ports that may be bound; unset: any. None may be connected to.
  std::optional<std::vector<uint16_t>> bind_ports;
};

// Confines this thread, and what it starts from now on, to `rules` as far as
// the kernel can: landlock(7). Returns the kernel's Landlock ABI; 0 if it has
// no Landlock, and then nothing is confined. Paths that do not exist are left
// out. Needs no_new_privs.
absl::StatusOr<int> ConfineByLandlock(const LandlockRules& rules);

}  // namespace paddock

#endif  // PADDOCK_SERVER_LANDLOCK_H_
