// The worker's own filter, which its sandboxes inherit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>

#include <algorithm>
#include <set>
#include <string>

#include "tests/support/filter_calls.h"
#include "worker/policy/rules.h"

namespace paddock {
namespace {

constexpr uint32_t kLastNumber = 1100;

// What the kernel does when two filters judge one call: the lower action, as a
// signed number: seccomp(2).
int32_t Action(uint32_t verdict) {
  return static_cast<int32_t>(verdict & SECCOMP_RET_ACTION_FULL);
}

TEST(WorkerFilterTest, RefusesWhatAWorkerNeverCalls) {
  FilterUnderTest filter = FilterUnderTest::OfWorker();
  for (const char* name : {"init_module",
                           "finit_module",
                           "delete_module",
                           "kexec_load",
                           "bpf",
                           "ptrace",
                           "perf_event_open",
                           "process_vm_readv",
                           "process_vm_writev",
                           "open_by_handle_at",
                           "userfaultfd",
                           "io_uring_setup",
                           "io_uring_enter",
                           "io_uring_register",
                           "keyctl",
                           "add_key",
                           "request_key",
                           "swapon",
                           "swapoff",
                           "reboot",
                           "pidfd_getfd"}) {
    EXPECT_EQ(filter.VerdictOn(name), kUntraced) << name;
  }
}

TEST(WorkerFilterTest, AllowsWhatItBuildsSandboxesWith) {
  FilterUnderTest filter = FilterUnderTest::OfWorker();
  for (const char* name :
       {"clone3",      "clone",         "setns",
        "unshare",     "mount",         "umount2",
        "open_tree",   "move_mount",    "mount_setattr",
        "fsopen",      "fsmount",       "pivot_root",
        "sethostname", "seccomp",       "landlock_create_ruleset",
        "capset",      "setresuid",     "setgroups",
        "prctl",       "openat2",       "pidfd_send_signal",
        "waitid",      "sendmsg",       "recvmsg",
        "socket",      "execve",        "mknodat",
        "eventfd2",    "inotify_init1", "prlimit64",
        "memfd_create"}) {
    EXPECT_EQ(filter.VerdictOn(name), kAllow) << name;
  }
}

TEST(WorkerFilterTest, NoOtherWayIn) {
  FilterUnderTest filter = FilterUnderTest::OfWorker();
  for (uint32_t number = 0; number <= kLastNumber; ++number) {
    ASSERT_EQ(filter.VerdictOn(NativeCall(0x40000000 | number)), kUntraced);
    seccomp_data foreign = NativeCall(number);
    foreign.arch = AUDIT_ARCH_I386;
    ASSERT_EQ(filter.VerdictOn(foreign), kUntraced);
  }
}

// The sandbox filter alone decides what programs see: no violation is hidden,
// nothing it allows is refused.
// Of the weakenings that a worker's profiles have together, a program has some.
void ExpectProgramDecides(Weakenings of_all, Weakenings own) {
  FilterUnderTest worker = FilterUnderTest::OfWorker(of_all);
  FilterUnderTest program = FilterUnderTest::OfPrograms(false, own);
  for (uint32_t number = 0; number <= kLastNumber; ++number) {
    for (const uint32_t arch :
         {NativeArchitecture(), uint32_t{AUDIT_ARCH_I386}}) {
      for (const uint32_t mark : {0u, 0x40000000u}) {
        seccomp_data data = NativeCall(number | mark);
        data.arch = arch;
        const int32_t of_program = Action(program.VerdictOn(data));
        const int32_t of_worker = Action(worker.VerdictOn(data));
        ASSERT_EQ(std::min(of_program, of_worker), of_program)
            << number << " of architecture " << arch;
      }
    }
  }
}

TEST(WorkerFilterTest, DecidesNothingForPrograms) {
  for (const Weakenings of_all : EverySetOfWeakenings()) {
    for (const Weakenings own : EverySetOfWeakenings()) {
      Weakenings both = of_all;
      both.Weaken(own);
      if (both == of_all) ExpectProgramDecides(of_all, own);
    }
  }
}

TEST(WorkerFilterTest, SparesOnlyWhatAProfileOpens) {
  FilterUnderTest strict = FilterUnderTest::OfWorker();
  FilterUnderTest weak = FilterUnderTest::OfWorker({Weakening::kPtrace});
  std::set<std::string> spared;
  for (uint32_t number = 0; number <= kLastNumber; ++number) {
    if (strict.VerdictOn(NativeCall(number)) !=
        weak.VerdictOn(NativeCall(number))) {
      EXPECT_EQ(weak.VerdictOn(NativeCall(number)), kAllow);
      spared.insert(
          SystemCallName(NativeArchitecture(), static_cast<int>(number)));
    }
  }
  EXPECT_THAT(spared, testing::UnorderedElementsAre(
                          "ptrace", "process_vm_readv", "process_vm_writev"));
}

}  // namespace
}  // namespace paddock
