#ifndef PADDOCK_WORKER_INIT_PLAN_H_
#define PADDOCK_WORKER_INIT_PLAN_H_

#include <linux/filter.h>
#include <sys/types.h>

#include <cstdint>
#include <type_traits>

#include "worker/init/setup_step.h"

namespace paddock::init {

// What the worker hands to init and program, and what they report. Plain data:
// between clone3 and execve nothing is allocated or parsed.

inline constexpr int kMaxJoinFiles = 8;

// Complete at clone, valid in the child's copy of the worker's memory. Owns
// nothing; every descriptor is close-on-exec and closed by init when it is not
// listed here.
struct SetupPlan {
  const char* image_tree;         // path of the image's template tree
  const char* new_root;           // path of an empty directory
  const char* proc_options;       // of mount(2): "subset=pid,hidepid=2"
  bool full_proc;                 // proc_options has no subset: mask the rest
  const char* tmp_options;        // size, nr_inodes, mode of /tmp
  const char* shm_options;        // of /dev/shm
  const char* workspace_options;  // of /work, owner included
  bool loopback;                  // bring up lo
  uid_t init_uid;                 // host id, outside the program's map
  uint32_t program_uid;           // ids inside the program's user namespace
  uint32_t program_gid;
  // What both are outside, and no other process has; 0, the worker's own, where
  // there are no others.
  uint32_t program_host_id;
  bool drop_groups;  // false only where no gid but one's own is mapped
  // The user namespace that made the mounts is not the host's: the program
  // gets them as copies that are locked, mount_namespaces(7).
  bool lock_mounts;
  int landlock_abi;  // 0: the kernel has no Landlock
  const sock_filter* filter;
  uint16_t filter_length;
  // Directory sys of a /proc, for settings of the sandbox's own namespaces; -1
  // where none can be mounted, which ends setup at mount_proc.
  int sysctl_fd;
  // Numbers for user.max_inotify_*; empty: what the host gives.
  const char* inotify_instances;
  const char* inotify_watches;
  // CLONE_INTO_CGROUP target of the program; -1: it is born beside init.
  int cgroup_fd;
  // Files of cgroups the program writes "0" to, first of all.
  int join_fds[kMaxJoinFiles];
  // The program's CPUs, as sched_setaffinity(2) takes them; 0 bytes: the
  // worker's.
  const unsigned long* cpu_mask;
  uint32_t cpu_mask_bytes;
  int join_count;
  int status_fd;  // init's socket to the worker; also its lifeline
  int plan_fd;    // the program's socket to the worker
  int stdout_fd;  // write ends
  int stderr_fd;
};
static_assert(std::is_trivially_copyable_v<SetupPlan>);

// First field of every report, init's and the program's.
enum class ReportKind : uint32_t {
  // init, with descriptors: /work, /tmp, /dev/shm; with a loopback interface
  // also a NETLINK_SOCK_DIAG socket of its network namespace.
  kDirectories = 1,
  // init: waits for the program to end.
  kInitReady = 2,
  // init: the program ended.
  kProgramEnded = 3,
  // program: in its user namespace, waits for the id maps.
  kNeedIdMaps = 4,
  // program, with the filter's listener: waits for its plan.
  kProgramReady = 5,
  // either: a step failed; _exit follows.
  kSetupFailure = 6,
};

// One packet on status_fd or plan_fd.
struct Report {
  ReportKind kind;
  SetupStep step;     // kSetupFailure
  int32_t error;      // kSetupFailure: errno of the failed call
  int32_t status;     // kProgramEnded: wait status, wait(2)
  int64_t end_nanos;  // kProgramEnded: CLOCK_MONOTONIC, when it was seen
  // kProgramEnded, getrusage(2) of the program, the children it waited for and
  // orphans that ended before it.
  int64_t voluntary_switches;
  int64_t involuntary_switches;
  int64_t minor_faults;
  int64_t major_faults;
  int64_t io_read_bytes;
  int64_t io_write_bytes;
};
static_assert(std::is_trivially_copyable_v<Report>);

// What the worker answers to kNeedIdMaps: one byte.
inline constexpr char kIdMapsWritten = 'M';

// The program plan: one packet on plan_fd, header first, strings after it. A
// descriptor comes with it where kHasStdin is set.
inline constexpr uint32_t kPlanMagic = 0x70616464;
inline constexpr uint32_t kMaxPlanPacket = 112 << 10;
inline constexpr uint32_t kMaxPlanStrings = 4096;  // of argv, and of env
inline constexpr int kMaxRlimits = 12;

enum PlanFlags : uint32_t {
  kHasStdin = 1,
  kStderrToStdout = 2,
  kDiscardStdout = 4,
  kDiscardStderr = 8,
};

struct PlanRlimit {
  int32_t resource;
  uint32_t reserved;
  uint64_t soft;
  uint64_t hard;
};

struct ProgramPlan {
  uint32_t magic;
  uint32_t flags;
  uint32_t size;  // of the packet
  uint32_t argc;
  uint32_t envc;
  uint32_t rlimit_count;
  // Offsets into the packet of NUL-terminated strings: argc in a row, envc in a
  // row, the working directory, the value of PATH (empty: no look-up).
  uint32_t argv_offset;
  uint32_t env_offset;
  uint32_t directory_offset;
  uint32_t path_offset;
  PlanRlimit rlimits[kMaxRlimits];
};
static_assert(std::is_trivially_copyable_v<ProgramPlan>);

}  // namespace paddock::init

#endif  // PADDOCK_WORKER_INIT_PLAN_H_
