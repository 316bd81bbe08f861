#include "worker/policy/system_calls.h"

#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/syscall.h>

#include "worker/policy/seccomp_policy.h"

namespace paddock {
namespace {

TEST(SystemCallsTest, NumbersAreThoseOfTheHeaders) {
  EXPECT_EQ(SystemCallNumber(NativeArchitecture(), "read"), SYS_read);
  EXPECT_EQ(SystemCallNumber(NativeArchitecture(), "clone3"), SYS_clone3);
  EXPECT_EQ(SystemCallNumber(NativeArchitecture(), "init_module"),
            SYS_init_module);
}

TEST(SystemCallsTest, OtherArchitecturesHaveOtherNumbers) {
  EXPECT_EQ(SystemCallNumber(AUDIT_ARCH_X86_64, "open"), 2u);
  EXPECT_EQ(SystemCallNumber(AUDIT_ARCH_I386, "open"), 5u);
  EXPECT_EQ(SystemCallNumber(AUDIT_ARCH_AARCH64, "open"), std::nullopt);
  EXPECT_EQ(SystemCallNumber(AUDIT_ARCH_X86_64, "socketcall"), std::nullopt);
  EXPECT_EQ(SystemCallNumber(AUDIT_ARCH_X86_64, "no_such_call"), std::nullopt);
}

TEST(SystemCallsTest, NewCallsHaveOneNumber) {
  for (const uint32_t arch :
       {uint32_t{AUDIT_ARCH_X86_64}, uint32_t{AUDIT_ARCH_AARCH64}}) {
    EXPECT_EQ(SystemCallNumber(arch, "mseal"), 462u);
    EXPECT_EQ(SystemCallName(arch, 462), "mseal");
  }
  EXPECT_EQ(SystemCallNumber(AUDIT_ARCH_X86_64, "uretprobe"), 335u);
  EXPECT_EQ(SystemCallNumber(AUDIT_ARCH_AARCH64, "uretprobe"), std::nullopt);
  EXPECT_EQ(SystemCallName(AUDIT_ARCH_AARCH64, 335), "unknown");
}

TEST(SystemCallsTest, KnowsNamesOfEveryArchitecture) {
  EXPECT_TRUE(IsSystemCallName("open"));
  EXPECT_TRUE(IsSystemCallName("socketcall"));
  EXPECT_TRUE(IsSystemCallName("listmount"));
  EXPECT_FALSE(IsSystemCallName("no_such_call"));
  EXPECT_FALSE(IsSystemCallName(""));
}

TEST(SystemCallsTest, NamesForReports) {
  EXPECT_EQ(SystemCallName(AUDIT_ARCH_X86_64, 175), "init_module");
  EXPECT_EQ(SystemCallName(AUDIT_ARCH_I386, 102), "socketcall");
  EXPECT_EQ(SystemCallName(AUDIT_ARCH_X86_64, 0x40000000 | 520), "execve");
  EXPECT_EQ(SystemCallName(AUDIT_ARCH_X86_64, 100000), "unknown");
  EXPECT_EQ(SystemCallName(AUDIT_ARCH_X86_64, -1), "unknown");
  EXPECT_EQ(SystemCallName(0, 1), "unknown");
}

TEST(SystemCallsTest, ArchitectureNames) {
  EXPECT_EQ(ArchitectureName(AUDIT_ARCH_X86_64), "x86_64");
  EXPECT_EQ(ArchitectureName(AUDIT_ARCH_I386), "i386");
  EXPECT_EQ(ArchitectureName(AUDIT_ARCH_AARCH64), "aarch64");
  EXPECT_EQ(ArchitectureName(0), "unknown");
  EXPECT_NE(ArchitectureName(NativeArchitecture()), "unknown");
}

}  // namespace
}  // namespace paddock
