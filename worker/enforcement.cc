#include "worker/enforcement.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "worker/base/epoll_watches.h"
#include "worker/sandbox/record_locks.h"
#include "worker/wire/layers.h"

namespace paddock {
namespace {

void AddLimit(v1::LimitKind kind, const std::string& mechanism,
              internal::v1::WorkerReady* ready) {
  v1::LimitEnforcement* row = ready->add_limits();
  row->set_limit(kind);
  row->set_mechanism(mechanism);
  row->set_state(mechanism.empty() ? v1::ENFORCEMENT_STATE_NONE
                                   : v1::ENFORCEMENT_STATE_ENFORCED);
}

v1::LayerEnforcement* AddLayer(const std::string& layer,
                               const std::string& mechanism,
                               internal::v1::WorkerReady* ready) {
  v1::LayerEnforcement* row = ready->add_layers();
  row->set_layer(layer);
  row->set_mechanism(mechanism);
  row->set_state(mechanism.empty() ? v1::ENFORCEMENT_STATE_NONE
                                   : v1::ENFORCEMENT_STATE_ENFORCED);
  return row;
}

void AddUserIds(const SandboxFactory& factory,
                internal::v1::WorkerReady* ready) {
  const uint32_t ids_per_sandbox = factory.ids.per_sandbox();
  std::string mechanism =
      ids_per_sandbox > 1 ? "a host id range for each sandbox, never host root"
      : ids_per_sandbox == 1 ? "an id for each sandbox, of those mapped for us"
                             : "";
  const bool shares = factory.nested && !mechanism.empty();
  // All in a user namespace are counted for its maker: kernel/ucount.c.
  if (shares) {
    absl::StrAppend(&mechanism, "; shared: what one user may have of ",
                    factory.inotify.instances.empty() ? "inotify, " : "",
                    "pending signals and, unless root, processes");
  }
  v1::LayerEnforcement* row = AddLayer("user_ids", mechanism, ready);
  if (shares) row->set_state(v1::ENFORCEMENT_STATE_DEGRADED);
}

std::string EpollMechanism(const SandboxFactory& factory) {
  if (factory.epoll_watches < 0) return "";
  const std::string mechanism = absl::StrCat(
      "fs.epoll.max_user_watches ", factory.epoll_watches, ", for ",
      factory.ids.per_sandbox() > 0 ? "each program" : "all programs together");
  if (factory.epoll_watches <= kMostSafeEpollWatches) return mechanism;
  return absl::StrCat(mechanism, ": to wake them stops a CPU for ",
                      EpollStallMilliseconds(factory.epoll_watches),
                      " ms; advised: ", kMostSafeEpollWatches);
}

}  // namespace

void FillEnforcement(const SandboxFactory& factory,
                     internal::v1::WorkerReady* ready) {
  const CgroupMechanisms cgroups = factory.cgroups->mechanisms();
  const int landlock_abi = factory.landlock_abi;
  AddLimit(v1::LIMIT_KIND_CPU_TIME, cgroups.cpu_time, ready);
  AddLimit(v1::LIMIT_KIND_WALL_TIME, "CLOCK_MONOTONIC, watched by the worker",
           ready);
  AddLimit(v1::LIMIT_KIND_IDLE_TIME, cgroups.cpu_time, ready);
  AddLimit(v1::LIMIT_KIND_MEMORY, cgroups.memory, ready);
  AddLimit(v1::LIMIT_KIND_PROCESSES, cgroups.processes, ready);
  AddLimit(v1::LIMIT_KIND_OPEN_FILES, "RLIMIT_NOFILE, for each process", ready);
  AddLimit(v1::LIMIT_KIND_FILE_SIZE, "RLIMIT_FSIZE", ready);
  AddLimit(v1::LIMIT_KIND_WORKSPACE_BYTES, "tmpfs size", ready);
  AddLimit(v1::LIMIT_KIND_WORKSPACE_INODES, "tmpfs nr_inodes", ready);
  AddLimit(v1::LIMIT_KIND_STACK, "RLIMIT_STACK", ready);
  AddLimit(v1::LIMIT_KIND_OUTPUT, "pipes, read by the worker with a cap",
           ready);

  AddLayer("namespaces",
           "clone3: mnt pid net ipc uts time; unshare: cgroup user; "
           "user.max_user_namespaces 0 inside",
           ready);
  AddUserIds(factory, ready);
  AddLayer("rootfs", "read-only image, tmpfs, pivot_root", ready);
  AddLayer("proc", "subset=pid, hidepid=2", ready);
  AddLayer("devices",
           absl::StrCat(
               "null, zero, full, random, urandom; nodev elsewhere, no mknod",
               factory.second_lines.devices ? "; cgroup v1 devices" : ""),
           ready);
  AddLayer(
      "huge_pages",
      absl::StrCat("refused by the filter",
                   factory.second_lines.huge_pages ? "; cgroup hugetlb 0" : ""),
      ready);
  AddLayer("network", "own network namespace, loopback only if asked for",
           ready);
  AddLayer(kLoopbackLayer,
           factory.loopback
               ? absl::StrCat("memory of sockets: ", cgroups.sockets,
                              "; sock_diag, watched by the worker")
               : "",
           ready);
  AddLayer("kill", cgroups.kill, ready);
  AddLayer("oom", cgroups.oom, ready);
  AddLayer("cgroup_entry", cgroups.entry, ready);
  v1::LayerEnforcement* cpus = AddLayer(kCpusLayer, cgroups.cpus, ready);
  if (cgroups.cpus_degraded) cpus->set_state(v1::ENFORCEMENT_STATE_DEGRADED);
  for (const auto& [layer, mechanism] : factory.sandboxes_layers) {
    AddLayer(layer, mechanism, ready);
  }
  AddLayer("io_accounting", cgroups.io, ready);
  AddLayer("rlimits", "setrlimit", ready);
  AddLayer("record_locks",
           absl::StrCat(
               factory.most_locks,
               " of fcntl and flock, then ENOLCK; calls by user notification",
               RecordLockLimit::CanCount()
                   ? ", locks by /proc/locks"
                   : ", each counts for ever: no /proc/locks"),
           ready);
  AddLayer("epoll", EpollMechanism(factory), ready);
  AddLayer("capabilities", "none, bounding set empty, securebits locked",
           ready);
  AddLayer("no_new_privs", "prctl(PR_SET_NO_NEW_PRIVS)", ready);
  AddLayer("seccomp", "allow-list, violations by user notification", ready);
  AddLayer("landlock",
           landlock_abi > 0 ? absl::StrCat("ABI ", landlock_abi) : "", ready);
}

}  // namespace paddock
