#ifndef PADDOCK_WORKER_SANDBOX_CGROUP_H_
#define PADDOCK_WORKER_SANDBOX_CGROUP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/base/unique_fd.h"
#include "worker/sandbox/run_spec.h"

namespace paddock {

// The control groups of one sandbox: cgroups(7). Fresh for each, never used
// again after a kill: on Linux 6.12 and later a child cloned into a group that
// was killed once is killed at once. Process: worker. Not thread-safe.
class SandboxCgroup {
 public:
  virtual ~SandboxCgroup() = default;

  // Target of CLONE_INTO_CGROUP for the program. Borrowed; -1: none.
  virtual int clone_fd() const = 0;
  // Files that the program writes "0" to: `tasks` of cgroup v1, and
  // `cgroup.procs` of v2 where clone_fd() is -1. Borrowed.
  virtual std::vector<int> join_fds() const = 0;
  // Closes what only the clone needs.
  virtual void CloseJoinFiles() = 0;

  // Writes only what differs from the last call's.
  virtual absl::Status SetLimits(const ProgramLimits& limits) = 0;

  // CPU time of all that ever ran in the group.
  virtual absl::StatusOr<absl::Duration> CpuTime() = 0;

  // A descriptor that becomes readable when the kernel has run out of the
  // group's memory, or of that of a group above it, and has not killed all of
  // it. -1: it kills all by itself.
  virtual int oom_event_fd() const = 0;
  // Whether the limit of the group itself was ever met.
  virtual bool MemoryLimitMet() const = 0;
  // Whether the kernel killed one of the group because there was no memory.
  virtual bool OomKilled() const = 0;

  // SIGKILLs every member, also one that is forking: cgroup.kill, Linux 5.14.
  // Then the limit on CPUs is lifted, so that they do not have to wait for
  // their share to end: none of them comes back to its own code.
  virtual absl::Status KillAll() = 0;
  // Returns once no member runs. DeadlineExceeded after `timeout`.
  virtual absl::Status WaitEmpty(absl::Duration timeout) = 0;

  // Stops every member where it is, also one that is forking, until Thaw or a
  // kill: cgroup.freeze. DeadlineExceeded if one has not stopped in `timeout`.
  virtual absl::Status Freeze(absl::Duration timeout) = 0;
  virtual absl::Status Thaw() = 0;

  // Ids of its processes, as this one sees them.
  virtual absl::StatusOr<std::vector<int>> Processes() const = 0;
  // The same of all their threads.
  virtual absl::StatusOr<std::vector<int>> Threads() const = 0;

  // Fills what the controllers of this host know.
  virtual void ReadFigures(UsageFigures* figures) = 0;
  // Bytes the group is charged for now. 0 if that cannot be read.
  virtual int64_t MemoryInUse() = 0;
  // The part of it that TCP and UDP sockets take.
  virtual int64_t SocketMemoryCharged() = 0;
  // Without the pages of files, which the kernel drops where it needs memory.
  virtual int64_t MemoryHeld() = 0;

  // Makes the kernel take back so much of what it can: first what it has
  // charged ahead for each CPU, 256 KiB, which is nothing that is taken, then
  // pages and names of files. For a group without members: limits it below what
  // it holds.
  virtual void Reclaim(int64_t bytes) = 0;

  // Removes the directories. Members must be reaped. The destructor does not:
  // what is left is swept by the next supervisor.
  virtual absl::Status Remove() = 0;
};

// Which file of which hierarchy enforces or measures what, for GetServerInfo.
// Empty: nothing does.
struct CgroupMechanisms {
  std::string cpu_time;
  std::string memory;
  std::string processes;
  std::string cpus;
  // The operator allowed that `cpus` names nothing that limits.
  bool cpus_degraded = false;
  std::string io;
  std::string kill;
  std::string oom;
  // What counts the buffers of TCP and UDP sockets.
  std::string sockets;
  std::string entry;
};

// What the host's cgroups are to do, beyond where they are.
struct CgroupOptions {
  // How the program gets into its cgroup2 group: ChildClonedIntoCgroupLives.
  bool clone_into = true;
  // Without a cpu controller a limit on CPUs is ignored, not refused.
  bool degrade_cpus = false;
  // CPUs of config.sandbox.cpuset; 0: all that are online.
  int cpuset_size = 0;
};

// Makes sandboxes' cgroups below the directories the supervisor prepared.
class CgroupFactory {
 public:
  virtual ~CgroupFactory() = default;
  // `loopback`: its program can have TCP and UDP sockets. AlreadyExists if
  // `name` was used before. Nothing is left on failure.
  virtual absl::StatusOr<std::unique_ptr<SandboxCgroup>> Create(
      const std::string& name, bool loopback) = 0;
  virtual CgroupMechanisms mechanisms() const = 0;
};

struct CgroupV1Directory {
  std::string controller;
  std::string path;  // absolute
};

// `unified` is the directory on cgroup2 that sandboxes' groups are made in,
// with `unified_controllers` enabled for its children; `v1` are the directories
// of the controllers that cgroup2 does not have. FailedPrecondition names a
// controller that is missing.
absl::StatusOr<std::unique_ptr<CgroupFactory>> OpenCgroups(
    UniqueFd unified, const std::vector<std::string>& unified_controllers,
    const std::vector<CgroupV1Directory>& v1, const CgroupOptions& options);

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_CGROUP_H_
