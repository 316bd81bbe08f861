#ifndef PADDOCK_SERVER_SUPERVISOR_HOST_IDS_H_
#define PADDOCK_SERVER_SUPERVISOR_HOST_IDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "paddock/config/v1/config.pb.h"
#include "paddock/internal/v1/launch.pb.h"

namespace paddock {

// The ids of every worker slot, of those that this process's user namespace
// maps: user_namespaces(7). `uid_map` and `gid_map` are the files of that name
// in /proc/self. In the order of what isolates best:
//   all ids from sandbox.host_id_base on  64 Mi for each slot
//   some thousands                        the upper half of them, shared out
//   root alone                            none
// FailedPrecondition if the configuration asks for ids that are not mapped.
absl::StatusOr<std::vector<internal::v1::SlotIds>> ShareOutIds(
    const config::v1::Config& config, const std::string& uid_map,
    const std::string& gid_map);

// The same of this process.
absl::StatusOr<std::vector<internal::v1::SlotIds>> ShareOutOwnIds(
    const config::v1::Config& config);

// Whether the map, a file /proc/PID/uid_map or gid_map, has this id.
bool HasId(const std::string& map, uint32_t id);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_HOST_IDS_H_
