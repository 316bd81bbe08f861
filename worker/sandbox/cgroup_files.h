#ifndef PADDOCK_WORKER_SANDBOX_CGROUP_FILES_H_
#define PADDOCK_WORKER_SANDBOX_CGROUP_FILES_H_

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "worker/base/unique_fd.h"
#include "worker/sandbox/cgroup.h"
#include "worker/sandbox/run_spec.h"

namespace paddock {

// One directory of a cgroup hierarchy that is ours, and its control files.
class CgroupDirectory {
 public:
  CgroupDirectory() = default;
  // Makes `name` in `parent` (borrowed, and must outlive this).
  static absl::StatusOr<CgroupDirectory> Make(int parent,
                                              const std::string& name);

  int fd() const { return fd_.get(); }
  absl::StatusOr<UniqueFd> Open(const char* file, int flags) const;
  // Opens `files` for what follows, as far as they are there: a request should
  // not wait for open(2). Closed by Remove.
  void KeepOpen(int flags, std::initializer_list<const char*> files);
  absl::Status Write(const char* file, absl::string_view value) const;
  // Unset if the file is not there or holds no number.
  std::optional<int64_t> ReadNumber(const char* file) const;
  // The number after `key` and a blank, at the start of a line.
  std::optional<int64_t> ReadKey(const char* file, absl::string_view key) const;
  absl::StatusOr<std::string> Read(const char* file) const;
  // rmdir(2). Members may be dying for a moment: tried for a second.
  absl::Status Remove();

 private:
  int parent_ = -1;
  // Unset if it is not kept open.
  std::optional<int> Kept(absl::string_view file) const;

  std::string name_;
  UniqueFd fd_;
  std::vector<std::pair<const char*, UniqueFd>> kept_;
};

// The number after `key` and a blank, at the start of a line of `text`.
std::optional<int64_t> FindKey(absl::string_view text, absl::string_view key);

// A number in a control file that stays open: pread(2) from its start.
absl::StatusOr<int64_t> ReadNumberAgain(int fd);

// The part of a sandbox's groups that is the same everywhere: a cgroup2
// directory, for the atomic kill, for standing still, and for knowing when all
// is over.
class KillGroup {
 public:
  // With a file to enter it by where a child is not to be cloned into it.
  static absl::StatusOr<KillGroup> Make(int parent, const std::string& name,
                                        const CgroupOptions& options);
  // As SandboxCgroup has them.
  int clone_fd() const { return clone_into_ ? directory_.fd() : -1; }
  int join_fd() const { return procs_.get(); }
  void CloseJoinFile() { procs_.Reset(); }
  const CgroupDirectory& directory() const { return directory_; }
  CgroupDirectory& directory() { return directory_; }
  absl::Status KillAll();
  // Whether no member runs. False if that cannot be read.
  bool IsEmpty() const;
  absl::Status WaitEmpty(absl::Duration timeout);
  absl::Status Freeze(absl::Duration timeout);
  absl::Status Thaw() { return directory_.Write("cgroup.freeze", "0"); }
  // `file`: cgroup.procs or cgroup.threads.
  absl::StatusOr<std::vector<int>> Members(const char* file) const;
  absl::Status Remove() { return directory_.Remove(); }

 private:
  // A flag of cgroup.events.
  absl::StatusOr<bool> Event(absl::string_view name) const;
  absl::Status WaitFor(absl::string_view name, bool value,
                       absl::Duration timeout) const;

  CgroupDirectory directory_;
  UniqueFd kill_;
  UniqueFd events_;
  UniqueFd procs_;
  bool clone_into_ = true;
};

// What both versions do by the cgroup2 group.
class CgroupWithKillGroup : public SandboxCgroup {
 public:
  explicit CgroupWithKillGroup(KillGroup group) : group_(std::move(group)) {}
  int clone_fd() const override { return group_.clone_fd(); }
  absl::Status WaitEmpty(absl::Duration timeout) override {
    return group_.WaitEmpty(timeout);
  }
  absl::Status Freeze(absl::Duration timeout) override {
    return group_.Freeze(timeout);
  }
  absl::Status Thaw() override { return group_.Thaw(); }
  absl::StatusOr<std::vector<int>> Processes() const override {
    return group_.Members("cgroup.procs");
  }
  absl::StatusOr<std::vector<int>> Threads() const override {
    return group_.Members("cgroup.threads");
  }

 protected:
  KillGroup group_;
};

// In the table of layers where the memory controller limits no swap: paddockd
// starts then only if the host has none.
inline constexpr char kNoSwap[] = ", and no swap on this host";

// CPUs online when first asked: sysconf(3).
int CpusOnline();
// CPUs that programs can run on.
int UsableCpus(const CgroupOptions& options);

// "max 100000" or a quota for `cpus`, in the period of 100 ms. Microseconds; -1
// is no limit, because programs have no more CPUs than that, `usable`.
int64_t CpuQuotaMicros(double cpus, int usable);
inline constexpr int64_t kCpuPeriodMicros = 100'000;
// Of all CPUs: it throttles nobody. No limit at all, "max", is dearer where no
// other group has one: the kernel then changes its own code, on all CPUs
// (cfs_bandwidth_used in kernel/sched/fair.c).
inline int64_t FullQuotaMicros(int usable) { return usable * kCpuPeriodMicros; }

// What both versions say of a host.
absl::Status NoCpuController();
const char* EntryMechanism(const CgroupOptions& options);
inline constexpr char kCpusDegraded[] =
    "nothing: no cpu controller, and cgroup.degrade allows it";

}  // namespace paddock

#endif  // PADDOCK_WORKER_SANDBOX_CGROUP_FILES_H_
