#ifndef PADDOCK_SERVER_SUPERVISOR_SERVICE_USER_H_
#define PADDOCK_SERVER_SUPERVISOR_SERVICE_USER_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace paddock {

// The user the server process runs as: config.workers.user.
struct ServiceUser {
  std::string name;
  uid_t uid = 0;  // 0 only as root of a user namespace of our own
  gid_t gid = 0;
};

// Looks the user up, and makes it by useradd(8) if it is missing. Needs root.
// `created` says which of the two it was.
absl::StatusOr<ServiceUser> FindOrCreateServiceUser(const std::string& name,
                                                    bool* created);

// Gives up every privilege of the calling process for good: groups and ids,
// the bounding, ambient, permitted, effective and inheritable capability sets,
// and by no_new_privs all that an exec could give back. Returns 0, or errno.
// Between fork and exec: libc only, allocates nothing.
int BecomeServiceUser(const ServiceUser& user);

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_SERVICE_USER_H_
