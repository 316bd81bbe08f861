#ifndef PADDOCK_WORKER_SANDBOX_SOCKET_WATCH_H_
#define PADDOCK_WORKER_SANDBOX_SOCKET_WATCH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "worker/sandbox/cgroup.h"

namespace paddock {

// Of all TCP and UDP sockets of a network namespace; in bytes.
struct SocketMemory {
  // Of sockets that a program has, or had. Charged to its control group, but
  // for copies that wait to be told of: of messages sent, for SO_TIMESTAMPING.
  int64_t owned = 0;
  // Charged to nobody: what a connection has received belongs to no group until
  // it is accepted, and what is left of a closed one was made by an interrupt.
  int64_t unowned = 0;
  // How many TCP sockets are connected, or were and still stand: each of them
  // that a program closes can stay for minutes as an orphan, of which the host
  // bears net.ipv4.tcp_max_orphans, tcp(7). Without listeners and what only
  // remembers a connection.
  int64_t connected = 0;
};

// What the sockets of one program may take of what is the host's, whatever its
// memory limit.
struct SocketShare {
  int64_t bytes = 0;
  int64_t connected = 0;  // of SocketMemory
};

// `diag` is a NETLINK_SOCK_DIAG socket (sock_diag(7)) made in the namespace in
// question. FailedPrecondition where the kernel has no tcp_diag or udp_diag.
absl::StatusOr<SocketMemory> ReadSocketMemory(int diag);

// Bytes that the sockets of one program may hold, whatever its memory limit:
// beyond the second number of `tcp_mem`, tcp(7), which is in pages, the kernel
// takes buffers from every TCP socket of the host. A part for each of `workers`
// and one for the host. A `tcp_mem` that says nothing, as in a container, which
// does not have the file: what the kernel makes of `host_bytes` of memory.
int64_t ShareOfSocketMemory(absl::string_view tcp_mem, int64_t host_bytes,
                            int workers);

// The same of connected TCP sockets and `tcp_max_orphans`: beyond that many
// orphans the kernel resets connections of everybody that were closed with data
// on their way. What there is before, as closing is faster than looking. Two
// belong to a connection and at most one of them becomes an orphan, so the half
// is left, which the kernel has for those whose other end is silent.
int64_t ShareOfConnected(absl::string_view tcp_max_orphans, int64_t host_bytes,
                         int workers);

// Both of this host. Process: worker, in the host's network namespace.
SocketShare ShareOfSockets(int workers);

// Whether the kernel tells; where it can, it loads what it needs for that.
absl::Status CheckSocketMemoryIsTold();

// Holds a program with a loopback interface to its memory limit where the
// memory controller does not: for uncharged sockets, and on cgroup v1, which
// counts sockets apart, for the sum. By looking, so the limit can be passed by
// what a program sends between two looks. What it moves meanwhile, from a
// socket to its heap, is seen in both: so a program that seems to have passed
// it is looked at again while it stands still. The sockets alone are held to
// their share of the host's, too, and their number.
class SocketWatch {
 public:
  // `diag` as above, -1 for a program that can have no such sockets. Borrows
  // both. `share`: ShareOfSockets.
  SocketWatch(int diag, SandboxCgroup* cgroup, int64_t memory_bytes,
              const SocketShare& share);

  // Since the program's start. Infinite where there is nothing to look for.
  absl::Duration NextLook() const { return next_look_; }

  // Whether a limit is passed; the program is frozen then. Call it when
  // NextLook has passed.
  absl::StatusOr<bool> Look(absl::Duration now);

  // The most that was seen of what the group is charged for and all sockets
  // together. 0: no sockets were seen.
  int64_t peak_bytes() const { return peak_bytes_; }

  // Which share of the host's the program has passed, for people. Empty: none.
  std::string ShareExceeded() const;

 private:
  // At one moment, if the program stands still.
  struct Figures {
    int64_t in_use = 0;  // of all memory, the least it can have been
    int64_t held = 0;    // without the pages of files, the most
    int64_t sockets = 0;
    int64_t connected = 0;
  };
  bool Passed(const Figures& figures) const;
  absl::StatusOr<Figures> Read() const;
  absl::StatusOr<Figures> ReadWhileFrozen() const;

  const int diag_;
  SandboxCgroup* const cgroup_;
  const int64_t memory_bytes_;
  const SocketShare share_;
  const absl::Duration longest_sleep_;
  Figures seen_;  // last
  absl::Duration next_look_;
  int64_t peak_bytes_ = 0;
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_SOCKET_WATCH_H_
