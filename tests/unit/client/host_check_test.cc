#include "client/cli/host_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace paddock {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A host as `root` shows it, on which the service would run; each test takes
// one thing away.
class HostCheckTest : public ::testing::Test {
 protected:
  HostCheckTest() {
    std::string pattern = ::testing::TempDir() + "/paddock.XXXXXX";
    root_ = mkdtemp(pattern.data());
    Write("proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n");
    Write("proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    for (const char* name :
         {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}) {
      Write(std::string("proc/self/ns/") + name, "");
    }
    Write("proc/sys/user/max_user_namespaces", "15000\n");
    Write("proc/filesystems", "nodev\tcgroup2\n");
    Write("proc/self/mountinfo",
          "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    Write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    Write("proc/sys/kernel/seccomp/actions_avail",
          "kill_process trap errno user_notif allow\n");
    Write("sys/kernel/security/lsm", "capability,landlock,yama");
  }
  ~HostCheckTest() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& content) {
    const std::filesystem::path full = root_ + "/" + path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << content;
  }
  void Remove(const std::string& path) {
    std::filesystem::remove(root_ + "/" + path);
  }

  HostFinding Find(const std::string& what) {
    for (const HostFinding& finding : CheckHost(root_)) {
      if (finding.what == what) return finding;
    }
    ADD_FAILURE() << "no finding " << what;
    return {};
  }

  std::string root_;
};

TEST_F(HostCheckTest, AGoodHostLacksNothing) {
  for (const HostFinding& finding : CheckHost(root_)) {
    EXPECT_EQ(finding.state, HostState::kOk)
        << finding.what << ": " << finding.detail;
  }
}

TEST_F(HostCheckTest, Privilege) {
  Write("proc/self/status", "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t00\n");
  EXPECT_EQ(Find("privilege").state, HostState::kOk);
  EXPECT_THAT(Find("privilege").detail, HasSubstr("1000"));
  // As containers give it, and without CAP_SETFCAP.
  Write("proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n");
  EXPECT_EQ(Find("privilege").state, HostState::kOk);
  Write("proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t00000000280425fb\n");
  EXPECT_EQ(Find("privilege").state, HostState::kMissing);
  EXPECT_THAT(Find("privilege").detail, HasSubstr("CAP_SYS_ADMIN"));
  Remove("proc/self/status");
  EXPECT_EQ(Find("privilege").state, HostState::kUnknown);
}

TEST_F(HostCheckTest, Kernel) {
  Write("proc/sys/kernel/osrelease", "5.14.0\n");
  EXPECT_EQ(Find("kernel").state, HostState::kOk);
  Write("proc/sys/kernel/osrelease", "5.13.19\n");
  EXPECT_EQ(Find("kernel").state, HostState::kMissing);
  Write("proc/sys/kernel/osrelease", "4.19.0\n");
  EXPECT_EQ(Find("kernel").state, HostState::kMissing);
}

TEST_F(HostCheckTest, Namespaces) {
  Write("proc/sys/user/max_user_namespaces", "0\n");
  EXPECT_EQ(Find("namespaces").state, HostState::kMissing);
  Write("proc/sys/user/max_user_namespaces", "1\n");
  EXPECT_EQ(Find("namespaces").state, HostState::kOk);
  Write("proc/sys/user/max_net_namespaces", "0\n");
  EXPECT_EQ(Find("namespaces").state, HostState::kMissing);
  EXPECT_THAT(Find("namespaces").detail, HasSubstr("user.max_net_namespaces"));
  Write("proc/sys/user/max_net_namespaces", "1\n");
  Remove("proc/self/ns/time");
  EXPECT_EQ(Find("namespaces").state, HostState::kMissing);
  EXPECT_THAT(Find("namespaces").detail, HasSubstr("time"));
}

// Whom a switch is for: Uid and CapEff of /proc/self/status.
constexpr char kRoot[] = "Uid:\t0\t0\t0\t0\nCapEff:\t000001ffffffffff\n";
constexpr char kUser[] = "Uid:\t7\t7\t7\t7\nCapEff:\t0000000000000000\n";
// As containers give it.
constexpr char kWeakRoot[] = "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n";

TEST_F(HostCheckTest, UserNamespacesForRootAlone) {
  const std::string debian = "proc/sys/kernel/unprivileged_userns_clone";
  for (const char* who : {kUser, kWeakRoot}) {
    Write("proc/self/status", who);
    Write(debian, "1\n");
    EXPECT_EQ(Find("namespaces").state, HostState::kOk) << who;
    Write(debian, "0\n");
    EXPECT_EQ(Find("namespaces").state, HostState::kMissing) << who;
    EXPECT_THAT(Find("namespaces").detail,
                HasSubstr("kernel.unprivileged_userns_clone is 0"));
  }
  Write("proc/self/status", kRoot);
  EXPECT_EQ(Find("namespaces").state, HostState::kOk);
}

TEST_F(HostCheckTest, UserNamespacesForProfilesAlone) {
  const std::string ubuntu =
      "proc/sys/kernel/apparmor_restrict_unprivileged_userns";
  Write("proc/self/status", kUser);
  Write(ubuntu, "0\n");
  EXPECT_EQ(Find("namespaces").state, HostState::kOk);
  Write(ubuntu, "1\n");
  EXPECT_EQ(Find("namespaces").state, HostState::kUnknown);
  EXPECT_THAT(Find("namespaces").detail, HasSubstr("AppArmor profile"));
  Write("proc/self/status", kRoot);
  EXPECT_EQ(Find("namespaces").state, HostState::kOk);
}

constexpr char kHybrid[] =
    "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    "31 23 0:27 / /v1/memory rw shared:9 - cgroup cgroup rw,memory\n";
constexpr char kV1Pids[] = "33 23 0:29 / /v1/pids rw - cgroup cgroup rw,pids\n";
constexpr char kV1Cpu[] =
    "32 23 0:28 / /v1/cpu rw shared:10 - cgroup cgroup rw,cpu,cpuacct\n";
constexpr char kV1Cpuacct[] =
    "32 23 0:28 / /v1/cpuacct rw - cgroup cgroup rw,cpuacct\n";

TEST_F(HostCheckTest, CgroupControllersOfBothVersionsCount) {
  EXPECT_EQ(Find("cgroups").detail, "memory (v2), pids (v2), cpu (v2)");
  Write("sys/fs/cgroup/cgroup.controllers", "cpuset\n");
  EXPECT_EQ(Find("cgroups").state, HostState::kMissing);
  EXPECT_THAT(Find("cgroups").detail, HasSubstr("memory, pids"));
  const std::string all = std::string(kHybrid) + kV1Pids + kV1Cpu;
  Write("proc/self/mountinfo", all);
  EXPECT_EQ(Find("cgroups").state, HostState::kOk);
  EXPECT_EQ(Find("cgroups").detail, "memory (v1), pids (v1), cpu (v1)");
  Write("proc/filesystems", "nodev\ttmpfs\n");
  EXPECT_EQ(Find("cgroups").state, HostState::kMissing);
}

TEST_F(HostCheckTest, CgroupControllersOnOneVersion) {
  Write("sys/fs/cgroup/cgroup.controllers", "pids\n");
  Write("proc/self/mountinfo", std::string(kHybrid) + kV1Cpu);
  EXPECT_EQ(Find("cgroups").state, HostState::kMissing);
  EXPECT_THAT(Find("cgroups").detail, HasSubstr("pids is on cgroup v2"));
}

TEST_F(HostCheckTest, OnV1WhatTellsTheCpuTimeIsNeeded) {
  Write("sys/fs/cgroup/cgroup.controllers", "\n");
  Write("proc/self/mountinfo", std::string(kHybrid) + kV1Pids);
  EXPECT_EQ(Find("cgroups").state, HostState::kMissing);
  EXPECT_THAT(Find("cgroups").detail, HasSubstr("cpuacct"));
}

TEST_F(HostCheckTest, AUserNeedsADelegatedGroup) {
  Write("proc/self/cgroup", "0::/user.slice\n");
  Write("sys/fs/cgroup/user.slice/cgroup.controllers", "cpu memory pids\n");
  Write("sys/fs/cgroup/user.slice/cgroup.subtree_control", "");
  EXPECT_EQ(Find("cgroups").state, HostState::kOk);
  Write("proc/self/status", "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t00\n");
  EXPECT_EQ(Find("cgroups").state, HostState::kOk);
  Write("sys/fs/cgroup/user.slice/cgroup.controllers", "memory\n");
  EXPECT_EQ(Find("cgroups").state, HostState::kUnknown);
  EXPECT_THAT(Find("cgroups").detail, HasSubstr("Delegate=yes"));
  Write("sys/fs/cgroup/user.slice/cgroup.controllers", "memory pids\n");
  Remove("sys/fs/cgroup/user.slice/cgroup.subtree_control");
  EXPECT_EQ(Find("cgroups").state, HostState::kUnknown);
  // Root makes groups anywhere.
  Write("proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t00\n");
  EXPECT_EQ(Find("cgroups").state, HostState::kOk);
}

TEST_F(HostCheckTest, TheCpuControllerIsOptional) {
  for (const char* lacking : {"memory", "pids"}) {
    Write("sys/fs/cgroup/cgroup.controllers",
          lacking == std::string("pids") ? "cpu memory\n" : "cpu pids\n");
    EXPECT_EQ(Find("cgroups").state, HostState::kMissing);
    EXPECT_THAT(Find("cgroups").detail,
                HasSubstr(std::string("controller ") + lacking + ";"));
  }
  Write("sys/fs/cgroup/cgroup.controllers", "memory pids\n");
  EXPECT_EQ(Find("cgroups").state, HostState::kOptional);
  EXPECT_THAT(Find("cgroups").detail, AllOf(HasSubstr("no controller cpu (v2)"),
                                            HasSubstr("cgroup.degrade")));
  // The others' version counts.
  Write("proc/self/mountinfo",
        "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n" +
            std::string(kV1Cpu));
  EXPECT_EQ(Find("cgroups").state, HostState::kOptional);
  Write("sys/fs/cgroup/cgroup.controllers", "cpu\n");
  Write("proc/self/mountinfo", std::string(kHybrid) + kV1Pids + kV1Cpuacct);
  EXPECT_EQ(Find("cgroups").state, HostState::kOptional);
  EXPECT_THAT(Find("cgroups").detail, HasSubstr("no controller cpu (v1)"));
}

TEST_F(HostCheckTest, Seccomp) {
  Write("proc/sys/kernel/seccomp/actions_avail", "errno allow\n");
  EXPECT_EQ(Find("seccomp").state, HostState::kMissing);
  Remove("proc/sys/kernel/seccomp/actions_avail");
  EXPECT_EQ(Find("seccomp").state, HostState::kMissing);
}

TEST_F(HostCheckTest, LandlockIsOptional) {
  Write("sys/kernel/security/lsm", "capability,yama");
  EXPECT_EQ(Find("landlock").state, HostState::kOptional);
  Remove("sys/kernel/security/lsm");
  EXPECT_EQ(Find("landlock").state, HostState::kUnknown);
}

}  // namespace
}  // namespace paddock
