#ifndef PADDOCK_WORKER_SANDBOX_SANDBOX_H_
#define PADDOCK_WORKER_SANDBOX_SANDBOX_H_

#include <linux/filter.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "worker/base/socket.h"
#include "worker/base/unique_fd.h"
#include "worker/init/plan.h"
#include "worker/sandbox/cgroup.h"
#include "worker/sandbox/id_ranges.h"
#include "worker/sandbox/inotify_share.h"
#include "worker/sandbox/refusal.h"
#include "worker/sandbox/run_spec.h"
#include "worker/sandbox/socket_watch.h"
#include "worker/sandbox/workspace.h"

namespace paddock {

// What a profile that the operator enabled makes of a sandbox.
struct SandboxProfile {
  bool full_proc = false;
  std::vector<sock_filter> filters[2];  // indexed by SandboxKind::loopback
};

// What holds below a first layer where the host gives it.
struct SecondLines {
  bool huge_pages = false;  // cgroup limit of 0, below the filter
  bool devices = false;     // cgroup v1 devices, below nodev and no mknod
};

// What all sandboxes of a worker are built from. Lives as long as the worker.
struct SandboxFactory {
  std::unique_ptr<CgroupFactory> cgroups;
  std::string name_prefix;  // of cgroups: slot and incarnation
  int64_t sequence = 0;
  IdRanges ids;
  uint32_t init_id = 0;  // of this slot's init processes: no program's
  bool nested = false;   // SlotIds of launch.proto
  int landlock_abi = 0;
  // Whether the memory of sockets on loopback can be held to a limit here.
  bool loopback = false;
  SocketShare socket_share;             // ShareOfSockets
  int most_locks = 0;                   // RecordLockLimit::Share
  std::vector<unsigned long> cpu_mask;  // of programs; empty: the worker's
  SecondLines second_lines;
  // Layers that hold for all sandboxes together, by whom; empty: by nothing.
  std::vector<std::pair<std::string, std::string>> sandboxes_layers;
  int64_t epoll_watches = -1;  // ReadEpollWatches; -1: not known
  Confinement confinement;
  std::map<std::string, SandboxProfile> profiles;  // by name
  uint32_t architecture = 0;  // AUDIT_ARCH_* of the profiles' filters
  UniqueFd sysctl;            // directory sys of a /proc: OpenSysctl
  InotifyShare inotify;
  std::string tmp_options;
  std::string shm_options;
};

// Lets go of everything a sandbox had. Process: worker, off a request's path.
class DeadSandbox {
 public:
  // Bytes of memory, at most, that come back when it is taken down: of files,
  // also those that we paid for, and what its group is charged for, such as the
  // System V memory of an IPC namespace that lives as long as its init.
  int64_t HeldBytes() const;
  // More than this is much.
  static constexpr int64_t kMuch = 16 << 20;

  // Kills what is left, waits for init and lets go of all but the cgroups:
  // what the kernel frees late is charged to them.
  std::unique_ptr<SandboxCgroup> TakeDown(SandboxFactory* factory) &&;

 private:
  friend class WarmSandbox;
  friend class RunningProgram;
  pid_t init_pid_ = -1;
  UniqueFd init_pidfd_;
  UniqueFd status_;
  UniqueFd plan_;
  UniqueFd listener_;
  uint32_t architecture_ = 0;  // of the filter
  UniqueFd socket_diag_;       // of a sandbox with a loopback interface
  SocketShare socket_share_;   // what its sockets may take
  int most_locks_ = 0;         // that its program may have
  Workspace workspace_;
  std::unique_ptr<SandboxCgroup> cgroup_;
  SandboxIds ids_;
};

class RunningProgram;

// Isolated, confined and empty: its program process waits, without privilege,
// for a plan. Used once.
class WarmSandbox {
 public:
  WarmSandbox(WarmSandbox&&) = default;
  WarmSandbox& operator=(WarmSandbox&&) = default;

  // On failure `failed_step` says where, and nothing is left behind.
  static absl::StatusOr<WarmSandbox> Build(SandboxFactory* factory,
                                           const SandboxKind& kind,
                                           init::SetupStep* failed_step);

  const SandboxKind& kind() const { return kind_; }

  // Sets the limits that the next request probably has, to spare it the time.
  void Expect(const ProgramLimits& limits);

  // Puts inputs and limits in place and hands the program its plan. `spec` must
  // outlive the result. Whatever goes wrong is in the report of Wait.
  RunningProgram Start(const RunSpec& spec) &&;

  DeadSandbox Discard() &&;

 private:
  WarmSandbox() = default;
  absl::Status Clone(SandboxFactory* factory);
  absl::Status WaitReady(init::SetupStep* failed_step);
  absl::Status OnStatusReport(init::SetupStep* failed_step);
  absl::Status OnPlanReport(init::SetupStep* failed_step);
  absl::Status WriteIdMaps(pid_t program);

  SandboxKind kind_;
  DeadSandbox parts_;
  UniqueFd stdout_;
  UniqueFd stderr_;
  bool init_ready_ = false;
};

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_SANDBOX_H_
