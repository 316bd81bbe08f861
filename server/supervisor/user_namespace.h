#ifndef PADDOCK_SERVER_SUPERVISOR_USER_NAMESPACE_H_
#define PADDOCK_SERVER_SUPERVISOR_USER_NAMESPACE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace paddock {

// What /etc/subuid or /etc/subgid gives a user: subuid(5).
struct SubordinateIds {
  int64_t first = 0;
  int64_t count = 0;
};

// The largest range that `file` gives to the user of that name or number.
// `count` is 0 if there is none.
SubordinateIds FindSubordinateIds(absl::string_view file,
                                  const std::string& name, uint32_t uid);

// Moves this process, an ordinary user's, into a user namespace of its own,
// where it is root: user_namespaces(7). With newuidmap(1) and the user's
// subordinate ids it has these too, as ids from 1 on; else no other id.
// FailedPrecondition names what on this host forbids it, and what to do. The
// process must have one thread.
absl::Status EnterOwnUserNamespace();

// The same for root without the capabilities for more, as in a container: in
// the new namespace every id means what it means here. Its maker is the highest
// of them, which nobody is likely to have. Needs CAP_SETUID, CAP_SETGID and
// CAP_SETFCAP, or the maps are refused.
absl::Status EnterUserNamespaceWithAllIds();

// Whether this is the namespace the host was booted with. Only there are
// capabilities those of the host, whatever ids a map shows.
bool InInitialUserNamespace();

}  // namespace paddock

#endif  // PADDOCK_SERVER_SUPERVISOR_USER_NAMESPACE_H_
