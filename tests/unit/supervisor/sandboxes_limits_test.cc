// On the real hierarchies of this host, as cgroup_instance_test.cc.
#include "server/supervisor/sandboxes_limits.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/supervisor/cgroup_instance.h"
#include "tests/support/skip.h"
#include "tests/unit/supervisor/cgroup_parent.h"
#include "worker/base/file_util.h"
#include "worker/wire/cpu_list.h"

namespace paddock {
namespace {

using testing::HasSubstr;

std::string Read(const std::string& path) {
  const auto text = ReadFileAt(AT_FDCWD, path);
  return text.ok() ? std::string(absl::StripAsciiWhitespace(*text))
                   : std::string(text.status().message());
}

const v1::LayerEnforcement* RowOf(const internal::v1::CgroupLayout& layout,
                                  const std::string& layer) {
  for (const auto& row : layout.sandboxes_layers()) {
    if (row.layer() == layer) return &row;
  }
  return nullptr;
}

// Directory of the v1 hierarchy of `controller`; empty if it is not on v1.
std::string V1Directory(const internal::v1::CgroupLayout& layout,
                        const std::string& controller) {
  for (const auto& hierarchy : layout.v1()) {
    if (hierarchy.controller() == controller) return hierarchy.directory();
  }
  return "";
}

class SandboxesLimitsTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT("root", geteuid() == 0);
    const auto parent = CgroupParentForTests();
    ASSERT_TRUE(parent.ok()) << parent.status();
    hierarchies_ = *FindOwnCgroupHierarchies(*parent);
  }
  void TearDown() override {
    if (instance_ == nullptr) return;
    const absl::Status removed = instance_->Remove();
    EXPECT_TRUE(removed.ok()) << removed;
  }

  absl::Status Create(const SandboxesLimits& limits) {
    SweepReport report;
    auto instance = CgroupInstance::Create(hierarchies_, &report, limits);
    if (!instance.ok()) return instance.status();
    instance_ = std::make_unique<CgroupInstance>(*std::move(instance));
    return absl::OkStatus();
  }
  const internal::v1::CgroupLayout& layout() const {
    return instance_->layout();
  }
  // paddock-<id> of v2.
  std::string UnifiedInstance() const {
    const std::string& directory = layout().unified_directory();
    return directory.substr(0, directory.rfind('/'));
  }
  // A host, or a part of it, whose sandboxes have no such controller.
  void TakeAway(const std::string& controller) {
    if (!fresh_.path().empty()) {
      (void)WriteControlAt(AT_FDCWD,
                           fresh_.directory() + "/../cgroup.subtree_control",
                           "-" + controller);
      hierarchies_ = *FindOwnCgroupHierarchies(fresh_.path());
      return;
    }
    for (auto it = hierarchies_.begin(); it != hierarchies_.end();) {
      const bool has = !it->unified && it->controllers[0] == controller;
      it = has ? hierarchies_.erase(it) : it + 1;
    }
  }

  FreshGroup fresh_;
  std::vector<CgroupHierarchy> hierarchies_;
  std::unique_ptr<CgroupInstance> instance_;
};

TEST_F(SandboxesLimitsTest, WeightIsThatOfTheGroupBesideTheDaemon) {
  ASSERT_TRUE(Create({.cpu_weight = 20}).ok());
  const v1::LayerEnforcement* row = RowOf(layout(), "cpu_weight");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->state(), v1::ENFORCEMENT_STATE_ENFORCED);
  if (const std::string v1 = V1Directory(layout(), "cpu"); !v1.empty()) {
    EXPECT_EQ(Read(v1 + "/cpu.shares"), "204");
    EXPECT_EQ(row->mechanism(), "cgroup v1 cpu.shares 204");
    return;
  }
  // The daemon is not below the base here: all of the instance is sandboxes.
  EXPECT_EQ(Read(UnifiedInstance() + "/cpu.weight"), "20");
  EXPECT_EQ(Read(layout().unified_directory() + "/cpu.weight"), "100");
  EXPECT_EQ(row->mechanism(), "cgroup v2 cpu.weight 20");
}

TEST_F(SandboxesLimitsTest, OnV2WithTheDaemonInALeafItIsTheSiblings) {
  SKIP_WITHOUT("unified_controllers", !fresh_.path().empty());
  (void)WriteControlAt(
      AT_FDCWD, fresh_.directory() + "/../cgroup.subtree_control", "+cpu");
  const pid_t maker = fork();
  if (maker == 0) {
    if (!WriteControlAt(AT_FDCWD, fresh_.directory() + "/cgroup.procs", "0")
             .ok()) {
      _exit(1);
    }
    hierarchies_ = *FindOwnCgroupHierarchies("");
    if (!Create({.cpu_weight = 20}).ok()) _exit(2);
    const std::string instance = UnifiedInstance();
    if (Read(instance + "/sandboxes/cpu.weight") != "20") _exit(3);
    if (Read(instance + "/daemon/cpu.weight") != "100") _exit(4);
    if (Read(instance + "/cpu.weight") != "100") _exit(5);
    _exit(instance_->Remove().ok() ? 0 : 6);
  }
  int status = 0;
  waitpid(maker, &status, 0);
  EXPECT_EQ(status, 0) << WEXITSTATUS(status);
}

TEST_F(SandboxesLimitsTest, WeightIsBelowTheDaemonsUnlessAskedFor) {
  ASSERT_TRUE(Create({}).ok());
  const std::string v1 = V1Directory(layout(), "cpu");
  EXPECT_EQ(v1.empty() ? Read(UnifiedInstance() + "/cpu.weight")
                       : Read(v1 + "/cpu.shares"),
            v1.empty() ? "50" : "512");
}

TEST_F(SandboxesLimitsTest, WeightWithoutTheControllerIsAnErrorIfAskedFor) {
  TakeAway("cpu");
  const absl::Status asked = Create({.cpu_weight = 100});
  EXPECT_EQ(asked.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(asked.message()), HasSubstr("sandbox.cpu_weight"));
  // Not asked for: it goes without, and says so.
  const absl::Status unasked = Create({});
  ASSERT_TRUE(unasked.ok()) << unasked;
  const v1::LayerEnforcement* row = RowOf(layout(), "cpu_weight");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(row->state(), v1::ENFORCEMENT_STATE_NONE);
  EXPECT_EQ(row->mechanism(), "");
}

// The last of the CPUs that a group of the base may have.
std::string LastCpu(const std::vector<CgroupHierarchy>& hierarchies) {
  for (const CgroupHierarchy& hierarchy : hierarchies) {
    for (const char* file : {"/cpuset.cpus.effective", "/cpuset.cpus"}) {
      const auto cpus = ParseCpuList(Read(hierarchy.base_directory + file));
      if (cpus.ok() && !cpus->empty()) return absl::StrCat(cpus->back());
    }
  }
  return "";
}

TEST_F(SandboxesLimitsTest, CpusetIsThatOfAllSandboxes) {
  const std::string cpu = LastCpu(hierarchies_);
  ASSERT_NE(cpu, "");
  const absl::Status created = Create({.cpuset = cpu});
  ASSERT_TRUE(created.ok()) << created;
  const std::string v1 = V1Directory(layout(), "cpuset");
  EXPECT_EQ(v1.empty() ? Read(layout().unified_directory() + "/cpuset.cpus")
                       : Read(v1 + "/cpuset.cpus"),
            cpu);
  ASSERT_NE(RowOf(layout(), "cpuset"), nullptr);
  EXPECT_THAT(RowOf(layout(), "cpuset")->mechanism(),
              HasSubstr("cpuset.cpus " + cpu));
}

TEST_F(SandboxesLimitsTest, WithoutACpusetNoRowSpeaksOfIt) {
  ASSERT_TRUE(Create({}).ok());
  EXPECT_EQ(RowOf(layout(), "cpuset"), nullptr);
}

TEST_F(SandboxesLimitsTest, CpusThatTheGroupMayNotUseAreNamed) {
  const std::string cpus = LastCpu(hierarchies_) + ",4000";
  const absl::Status created = Create({.cpuset = cpus});
  EXPECT_FALSE(created.ok());
  EXPECT_THAT(std::string(created.message()), HasSubstr("sandbox.cpuset: "));
}

TEST_F(SandboxesLimitsTest, CpusetWithoutTheControllerIsAnError) {
  const std::string cpu = LastCpu(hierarchies_);
  TakeAway("cpuset");
  const absl::Status created = Create({.cpuset = cpu});
  EXPECT_EQ(created.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(created.message()),
              HasSubstr("the cpuset controller"));
}

TEST_F(SandboxesLimitsTest, MemoryIsThatOfAllSandboxes) {
  ASSERT_TRUE(Create({.memory_bytes = 300 << 20}).ok());
  const std::string v1 = V1Directory(layout(), "memory");
  if (v1.empty()) {
    EXPECT_EQ(Read(layout().unified_directory() + "/memory.max"), "314572800");
  } else {
    EXPECT_EQ(Read(v1 + "/memory.limit_in_bytes"), "314572800");
    EXPECT_EQ(Read(v1 + "/memory.memsw.limit_in_bytes"), "314572800");
    EXPECT_EQ(Read(v1 + "/memory.kmem.tcp.limit_in_bytes"), "314572800");
  }
  ASSERT_NE(RowOf(layout(), "total_memory"), nullptr);
}

TEST(SandboxesLimitsOf, LeavesRoomForSandboxesThatWait) {
  config::v1::Config config;
  config.mutable_workers()->set_count(3);
  config.mutable_requests()->set_memory_budget_bytes(1 << 30);
  EXPECT_EQ(SandboxesLimitsOf(config).memory_bytes,
            (int64_t{1} << 30) + 3 * (64 << 20));
  config.mutable_requests()->set_memory_budget_bytes(
      std::numeric_limits<int64_t>::max());
  EXPECT_EQ(SandboxesLimitsOf(config).memory_bytes, 0);
}

}  // namespace
}  // namespace paddock
