#include "server/supervisor/cgroup_instance.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <regex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "server/supervisor/cgroup_advice.h"
#include "server/supervisor/cgroup_controllers.h"
#include "server/supervisor/cgroup_mount.h"
#include "server/supervisor/cgroup_tree.h"
#include "server/supervisor/second_line.h"
#include "worker/base/file_util.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

constexpr char kDaemon[] = "daemon";
constexpr char kSandboxes[] = "sandboxes";
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
constexpr absl::Duration kLockTimeout = absl::Seconds(30);
constexpr absl::Duration kRemoveTimeout = absl::Seconds(5);

constexpr char kHugetlb[] = "hugetlb";
constexpr char kDevices[] = "devices";

// Nothing hangs on such a hierarchy of v1: second_line.h.
bool IsSecondLine(const CgroupHierarchy& hierarchy) {
  return !hierarchy.unified && hierarchy.controllers.size() == 1 &&
         (hierarchy.controllers[0] == kHugetlb ||
          hierarchy.controllers[0] == kDevices);
}

// Nothing else that begins with "paddock-" is ours: an operator's cgroup may.
bool IsInstanceName(const std::string& name) {
  static const std::regex pattern("paddock-[0-9]+-[0-9a-f]{8}");
  return std::regex_match(name, pattern);
}

std::string InstanceName() {
  uint32_t random = 0;
  // A pid is not unique: cgroups can be shared by pid namespaces.
  if (getrandom(&random, sizeof(random), 0) != sizeof(random)) random = 0;
  return absl::StrFormat("paddock-%d-%08x", getpid(), random);
}

absl::StatusOr<UniqueFd> OpenBase(CgroupHierarchy* hierarchy) {
  if (!hierarchy->base_directory.empty()) {
    return OpenAt(AT_FDCWD, hierarchy->base_directory, kOpenDirectory);
  }
  ASSIGN_OR_RETURN(const UniqueFd root, OpenUnmountedUnified(hierarchy));
  return OpenAt(root.get(), absl::StrCat(".", hierarchy->base_path),
                kOpenDirectory);
}

// flock(2) that waits, but not for ever: whoever holds a base's lock is another
// paddockd that starts just now.
absl::Status LockWithin(int fd, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return ErrnoStatus(errno, "flock");
    }
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(
          "another process has held the lock of this cgroup for too long");
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> MakeGroup(int parent, const std::string& name) {
  if (mkdirat(parent, name.c_str(), 0755) != 0) {
    return ErrnoStatus(errno, absl::StrCat("mkdir of the cgroup ", name));
  }
  return OpenAt(parent, name, kOpenDirectory);
}

bool IsRefusal(const absl::Status& status) {
  const int error = ErrnoOf(status);
  return error == EACCES || error == EPERM || error == EROFS;
}

// Removes what killed predecessors left in `base`, whose lock is held: so no
// directory can be one that a starting paddockd has not locked yet.
void Sweep(int base, SweepReport* report) {
  const absl::StatusOr<std::vector<std::string>> children = ChildGroups(base);
  if (!children.ok()) {
    report->problems.push_back(children.status().ToString());
    return;
  }
  for (const std::string& name : *children) {
    if (!IsInstanceName(name)) continue;
    const auto fd = OpenAt(base, name, kOpenDirectory);
    if (!fd.ok() || flock(fd->get(), LOCK_EX | LOCK_NB) != 0) continue;
    const absl::Status removed =
        KillAndRemoveGroups(base, name, kSandboxes, kRemoveTimeout);
    if (removed.ok()) {
      ++report->removed;
    } else {
      report->problems.push_back(absl::StrCat(name, ": ", removed.message()));
    }
  }
}

absl::Status CopyControl(int from, int to, const char* file) {
  ASSIGN_OR_RETURN(const std::string value, ReadFileAt(from, file));
  return WriteControlAt(to, file, value);
}

}  // namespace

absl::StatusOr<CgroupInstance> CgroupInstance::Create(
    const std::vector<CgroupHierarchy>& hierarchies, SweepReport* report,
    const SandboxesLimits& limits) {
  CgroupInstance instance(limits);
  instance.name_ = InstanceName();
  absl::Status status;
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    status = instance.AddTree(hierarchy, report);
    if (!status.ok() && IsSecondLine(hierarchy)) status = absl::OkStatus();
    if (!status.ok()) break;
  }
  if (status.ok()) {
    status = CheckControllers(instance.layout_, instance.refusals_);
  }
  if (status.ok()) status = CheckAllLimited(limits, &instance.layout_);
  if (!status.ok()) {
    instance.Remove().IgnoreError();
    return status;
  }
  return instance;
}

absl::Status CgroupInstance::AddTree(const CgroupHierarchy& hierarchy,
                                     SweepReport* report) {
  // A v1 hierarchy that nobody mounted for us: CheckControllers decides.
  if (!hierarchy.unified && hierarchy.base_directory.empty()) {
    return absl::OkStatus();
  }
  const std::string what = absl::StrCat(
      "cgroup ", hierarchy.base_path, " of ",
      hierarchy.unified ? "v2" : absl::StrJoin(hierarchy.controllers, ","),
      ": ");
  auto annotate = [&](const absl::Status& status) {
    return Annotate(status, what);
  };
  Tree tree;
  tree.hierarchy = hierarchy;
  absl::StatusOr<UniqueFd> base = OpenBase(&tree.hierarchy);
  if (!base.ok()) {
    return annotate(hierarchy.base_directory.empty()
                        ? NotMountable(base.status())
                        : base.status());
  }
  tree.base = *std::move(base);
  if (absl::Status locked = LockWithin(tree.base.get(), kLockTimeout);
      !locked.ok()) {
    return annotate(locked);
  }
  Sweep(tree.base.get(), report);
  absl::StatusOr<UniqueFd> made = MakeGroup(tree.base.get(), name_);
  if (!made.ok() && !hierarchy.unified && IsRefusal(made.status())) {
    // Not everything was delegated to us: CheckControllers decides.
    refusals_.push_back(std::string(annotate(made.status()).message()));
    flock(tree.base.get(), LOCK_UN);
    return absl::OkStatus();
  }
  if (!made.ok()) return annotate(NotWritable(hierarchy, made.status()));
  tree.instance = *std::move(made);
  trees_.push_back(std::move(tree));  // from here on Remove() takes it away
  Tree& added = trees_.back();
  absl::Status status = LockWithin(added.instance.get(), kLockTimeout);
  if (status.ok()) {
    status = hierarchy.unified ? PrepareUnified(&added) : PrepareV1(added);
  }
  flock(added.base.get(), LOCK_UN);
  return status.ok() ? status : annotate(status);
}

absl::Status CgroupInstance::PrepareUnified(Tree* tree) {
  ASSIGN_OR_RETURN(const auto available,
                   AvailableControllers(tree->base.get()));
  const std::vector<std::string> used = UsedControllers(available);
  ASSIGN_OR_RETURN(const UniqueFd sandboxes,
                   MakeGroup(tree->instance.get(), kSandboxes));
  if (!used.empty()) {
    // A group with controllers for its children has no processes itself.
    if (tree->hierarchy.base_path == tree->hierarchy.own_path) {
      RETURN_IF_ERROR(EnterDaemonGroup(tree));
    }
    const absl::Status enabled = EnableControllers(tree->base.get(), used);
    if (ErrnoOf(enabled) == EBUSY) {
      return BusyBase(tree->hierarchy, tree->base.get());
    }
    RETURN_IF_ERROR(enabled);
    RETURN_IF_ERROR(EnableControllers(tree->instance.get(), used));
    RETURN_IF_ERROR(EnableControllers(sandboxes.get(), used));
  }
  RETURN_IF_ERROR(LimitByUnified(limits_,
                                 {.base = tree->base.get(),
                                  .instance = tree->instance.get(),
                                  .sandboxes = sandboxes.get(),
                                  .holds_daemon = tree->holds_daemon,
                                  .available = available,
                                  .used = used},
                                 &layout_));
  // Where other processes are beside us in the group the kernel refuses: then
  // the filter alone forbids huge pages.
  if (std::count(available.begin(), available.end(), kHugetlb) > 0 &&
      EnableControllers(tree->base.get(), {kHugetlb}).ok()) {
    tree->gave_hugetlb = true;
    layout_.set_huge_pages_forbidden(
        EnableControllers(tree->instance.get(), {kHugetlb}).ok() &&
        ForbidHugePages(sandboxes.get()).ok());
  }
  const bool mounted = !tree->hierarchy.base_directory.empty();
  const std::string base =
      mounted ? tree->hierarchy.base_directory : tree->hierarchy.base_path;
  layout_.set_unified_directory(
      absl::StrCat(base == "/" ? "" : base, "/", name_, "/", kSandboxes));
  layout_.set_unified_mounted(mounted);
  layout_.mutable_unified_controllers()->Assign(used.begin(), used.end());
  return absl::OkStatus();
}

absl::Status CgroupInstance::PrepareV1(const Tree& tree) {
  for (const std::string& controller : tree.hierarchy.controllers) {
    const int group = tree.instance.get();
    if (controller == "cpuset") {
      // Empty in a new group, and a group without them takes no process. With
      // clone_children, the groups below start as copies of this one.
      RETURN_IF_ERROR(CopyControl(tree.base.get(), group, "cpuset.cpus"));
      RETURN_IF_ERROR(CopyControl(tree.base.get(), group, "cpuset.mems"));
      RETURN_IF_ERROR(WriteControlAt(group, "cgroup.clone_children", "1"));
    } else if (controller == "memory") {
      // Always 1 since Linux 5.11, where writing 1 is allowed but needless.
      const auto is_tree = ReadFileAt(group, "memory.use_hierarchy");
      if (is_tree.ok() && absl::StartsWith(*is_tree, "0")) {
        RETURN_IF_ERROR(WriteControlAt(group, "memory.use_hierarchy", "1"));
      }
    } else if (controller == kHugetlb) {
      if (!ForbidHugePages(group).ok()) continue;
      layout_.set_huge_pages_forbidden(true);
    } else if (controller == kDevices) {
      if (!AllowSandboxDevicesOnly(group).ok()) continue;
    }
    RETURN_IF_ERROR(LimitByV1(limits_, controller, group, &layout_));
    internal::v1::CgroupV1Hierarchy* entry = layout_.add_v1();
    entry->set_controller(controller);
    entry->set_directory(
        absl::StrCat(tree.hierarchy.base_directory, "/", name_));
  }
  return absl::OkStatus();
}

absl::Status CgroupInstance::EnterDaemonGroup(Tree* tree) {
  ASSIGN_OR_RETURN(const UniqueFd daemon,
                   MakeGroup(tree->instance.get(), kDaemon));
  RETURN_IF_ERROR(WriteControlAt(daemon.get(), "cgroup.procs", "0"));
  tree->holds_daemon = true;
  return absl::OkStatus();
}

// A base that gives controllers on takes no process back, unless it is the
// root. Its controllers are taken away only if nothing but us is below it.
absl::Status CgroupInstance::LeaveDaemonGroup(const Tree& tree) {
  const absl::Status left =
      WriteControlAt(tree.base.get(), "cgroup.procs", "0");
  if (ErrnoOf(left) != EBUSY) return left;
  ASSIGN_OR_RETURN(const auto children, ChildGroups(tree.base.get()));
  if (children.size() > 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("the group ", name_, " stays behind, empty: others use ",
                     tree.hierarchy.base_path));
  }
  DisableControllers(tree.instance.get());
  DisableControllers(tree.base.get());
  return WriteControlAt(tree.base.get(), "cgroup.procs", "0");
}

bool CgroupInstance::RemoveSandboxes(const std::string& prefix) {
  bool all = true;
  for (const Tree& tree : trees_) {
    const auto parent =
        OpenAt(tree.instance.get(), tree.hierarchy.unified ? kSandboxes : ".",
               kOpenDirectory);
    if (!parent.ok()) continue;
    const auto children = ChildGroups(parent->get());
    if (!children.ok()) continue;
    for (const std::string& name : *children) {
      if (!absl::StartsWith(name, prefix)) continue;
      all &= KillAndRemoveGroups(parent->get(), name, ".", absl::ZeroDuration())
                 .ok();
    }
  }
  return all;
}

absl::Status CgroupInstance::Remove() {
  absl::Status status;
  while (!trees_.empty()) {
    const Tree tree = std::move(trees_.back());
    trees_.pop_back();
    if (tree.hierarchy.unified) {
      status.Update(KillAndRemoveGroups(tree.instance.get(), kSandboxes, ".",
                                        kRemoveTimeout));
    }
    if (tree.holds_daemon) {
      // Never kill `daemon` while we are in it.
      const absl::Status left = LeaveDaemonGroup(tree);
      status.Update(left);
      if (!left.ok()) continue;
    }
    status.Update(KillAndRemoveGroups(tree.base.get(), name_, kSandboxes,
                                      kRemoveTimeout));
    const auto others = ChildGroups(tree.base.get());
    if (tree.gave_hugetlb && others.ok() && others->empty()) {
      WriteControlAt(tree.base.get(), "cgroup.subtree_control", "-hugetlb")
          .IgnoreError();
    }
  }
  return status;
}

}  // namespace paddock
