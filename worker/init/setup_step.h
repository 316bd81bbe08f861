#ifndef PADDOCK_WORKER_INIT_SETUP_STEP_H_
#define PADDOCK_WORKER_INIT_SETUP_STEP_H_

#include <cstdint>

namespace paddock::init {

// Every step between clone3 and execve that can fail, in the order in which
// they run. The name labels paddock_sandbox_setup_failures_total{step}.
enum class SetupStep : uint32_t {
  kNone = 0,
  // Process: worker.
  kCreateCgroup,
  kCloneInit,
  kWriteIdMaps,
  kWaitReady,
  kWatchSockets,
  // Process: init.
  kCloseDescriptors,
  kAttachImage,
  kMountProc,
  kMaskProc,
  kMountTmp,
  kMountShm,
  kMountWorkspace,
  kPassDescriptors,
  kPivotRoot,
  kSetHostname,
  kLimitSockets,
  kLoopbackUp,
  kCloneProgram,
  kDropInitPrivileges,
  // Process: program, before a byte of the client is seen.
  kJoinCgroup,
  kResetSignals,
  kUnshareCgroup,
  kUnshareUser,
  kLimitNamespaces,
  kWaitIdMaps,
  kBecomeUser,
  kDropCapabilities,
  kNewSession,
  kOpenNull,
  kLimitCore,
  kLandlock,
  kSeccomp,
  // Process: program, once it has its plan.
  kCheckPlan,
  kRedirect,
  kChangeDirectory,
  kCloseOnExec,
  kSetRlimits,
  kExec,
  kLast = kExec,
};

// Also for a value that came off the wire.
constexpr const char* SetupStepName(SetupStep step) {
  switch (step) {  // no default: -Wswitch finds a forgotten name
    case SetupStep::kNone:
      return "none";
    case SetupStep::kCreateCgroup:
      return "create_cgroup";
    case SetupStep::kCloneInit:
      return "clone_init";
    case SetupStep::kWriteIdMaps:
      return "write_id_maps";
    case SetupStep::kWaitReady:
      return "wait_ready";
    case SetupStep::kWatchSockets:
      return "watch_sockets";
    case SetupStep::kCloseDescriptors:
      return "close_descriptors";
    case SetupStep::kAttachImage:
      return "attach_image";
    case SetupStep::kMountProc:
      return "mount_proc";
    case SetupStep::kMaskProc:
      return "mask_proc";
    case SetupStep::kMountTmp:
      return "mount_tmp";
    case SetupStep::kMountShm:
      return "mount_shm";
    case SetupStep::kMountWorkspace:
      return "mount_workspace";
    case SetupStep::kPassDescriptors:
      return "pass_descriptors";
    case SetupStep::kPivotRoot:
      return "pivot_root";
    case SetupStep::kSetHostname:
      return "set_hostname";
    case SetupStep::kLimitSockets:
      return "limit_sockets";
    case SetupStep::kLoopbackUp:
      return "loopback_up";
    case SetupStep::kCloneProgram:
      return "clone_program";
    case SetupStep::kDropInitPrivileges:
      return "drop_init_privileges";
    case SetupStep::kJoinCgroup:
      return "join_cgroup";
    case SetupStep::kResetSignals:
      return "reset_signals";
    case SetupStep::kUnshareCgroup:
      return "unshare_cgroup";
    case SetupStep::kUnshareUser:
      return "unshare_user";
    case SetupStep::kLimitNamespaces:
      return "limit_namespaces";
    case SetupStep::kWaitIdMaps:
      return "wait_id_maps";
    case SetupStep::kBecomeUser:
      return "become_user";
    case SetupStep::kDropCapabilities:
      return "drop_capabilities";
    case SetupStep::kNewSession:
      return "new_session";
    case SetupStep::kOpenNull:
      return "open_null";
    case SetupStep::kLimitCore:
      return "limit_core";
    case SetupStep::kLandlock:
      return "landlock";
    case SetupStep::kSeccomp:
      return "seccomp";
    case SetupStep::kCheckPlan:
      return "check_plan";
    case SetupStep::kSetRlimits:
      return "set_rlimits";
    case SetupStep::kRedirect:
      return "redirect";
    case SetupStep::kChangeDirectory:
      return "change_directory";
    case SetupStep::kCloseOnExec:
      return "close_on_exec";
    case SetupStep::kExec:
      return "exec";
  }
  return "unknown";
}

}  // namespace paddock::init

#endif  // PADDOCK_WORKER_INIT_SETUP_STEP_H_
