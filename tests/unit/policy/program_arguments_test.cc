// Calls that the filter of programs judges by their arguments.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/fscrypt.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/shm.h>
#include <netinet/tcp.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <random>

#include "tests/support/filter_calls.h"
#include "worker/policy/rules.h"

namespace paddock {
namespace {

using ::testing::IsEmpty;

// In every filter: none weakens what arguments decide.
class ProgramArgumentsTest : public FilterOfProgramsTest {};

INSTANTIATE_TEST_SUITE_P(EveryFilter, ProgramArgumentsTest,
                         testing::ValuesIn(EveryFilterOfPrograms()));

TEST_P(ProgramArgumentsTest, CloneWithoutNamespaces) {
  EXPECT_EQ(On("clone", {SIGCHLD}), kAllow);
  // What pthread_create(3) and vfork in libc ask for.
  EXPECT_EQ(On("clone", {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
                         CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                         CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID}),
            kAllow);
  EXPECT_EQ(On("clone", {CLONE_VM | CLONE_VFORK | SIGCHLD}), kAllow);
  EXPECT_EQ(On("clone", {CLONE_PIDFD | SIGCHLD}), kAllow);
}

TEST_P(ProgramArgumentsTest, CloneOfAProcessThatSharesDescriptorsIsCounted) {
  for (const uint64_t high : {uint64_t{0}, kHigh, kAllHigh}) {
    EXPECT_EQ(On("clone", {high | CLONE_FILES | SIGCHLD}), kCounted);
    EXPECT_EQ(On("clone", {high | CLONE_FILES | CLONE_VM | CLONE_VFORK}),
              kCounted);
    EXPECT_EQ(On("clone", {high | CLONE_FILES | CLONE_NEWPID}), Errno(EPERM));
  }
}

TEST_P(ProgramArgumentsTest, RecordLocksAreCounted) {
  for (const uint64_t high : {uint64_t{0}, kHigh, kAllHigh}) {
    for (const int command : {F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW}) {
      EXPECT_EQ(On("fcntl", {3, high | command}), kCounted) << command;
    }
    for (const int command :
         {F_DUPFD, F_GETFD, F_SETFL, F_GETLK, F_OFD_GETLK, F_GETOWN,
          F_SETPIPE_SZ, F_ADD_SEALS, F_GETLEASE, 1039, 1041}) {
      EXPECT_EQ(On("fcntl", {3, high | command}), kAllow) << command;
    }
    for (const uint64_t command : {F_SETLEASE, 1040}) {  // F_SETDELEG
      EXPECT_EQ(On("fcntl", {3, high | command}), Errno(EINVAL)) << command;
    }
    for (const int wait : {0, LOCK_NB}) {
      EXPECT_EQ(On("flock", {3, high | LOCK_SH | wait}), kCounted);
      EXPECT_EQ(On("flock", {3, high | LOCK_EX | wait}), kCounted);
      EXPECT_EQ(On("flock", {3, high | LOCK_UN | wait}), kAllow);
      // Linux before 5.16 took a lock for it: LOCK_MAND.
      EXPECT_EQ(On("flock", {3, high | LOCK_UN | 32 | wait}), kCounted);
    }
  }
}

TEST_P(ProgramArgumentsTest, CloneWithAnyNamespace) {
  for (const uint64_t flag :
       {uint64_t{CLONE_NEWNS}, uint64_t{CLONE_NEWCGROUP},
        uint64_t{CLONE_NEWUTS}, uint64_t{CLONE_NEWIPC}, uint64_t{CLONE_NEWUSER},
        uint64_t{CLONE_NEWPID}, uint64_t{CLONE_NEWNET},
        uint64_t{CLONE_NEWTIME}}) {
    EXPECT_EQ(On("clone", {flag}), Errno(EPERM)) << flag;
    EXPECT_EQ(On("clone", {flag | SIGCHLD | CLONE_VM | kHigh}), Errno(EPERM))
        << flag;
  }
}

TEST_P(ProgramArgumentsTest, Personality) {
  EXPECT_EQ(On("personality", {0}), kAllow);
  EXPECT_EQ(On("personality", {0xffffffff}), kAllow);
  EXPECT_EQ(On("personality", {ADDR_NO_RANDOMIZE}), Errno(EPERM));
  EXPECT_EQ(On("personality", {READ_IMPLIES_EXEC}), Errno(EPERM));
  EXPECT_EQ(On("personality", {kHigh}), Errno(EPERM));
  EXPECT_EQ(On("personality", {~uint64_t{0}}), Errno(EPERM));
}

TEST_P(ProgramArgumentsTest, LimitsOfOneself) {
  EXPECT_EQ(On("prlimit64", {0, 7, 1, 1}), kAllow);
  EXPECT_EQ(On("prlimit64", {1}), Errno(EPERM));
  EXPECT_EQ(On("prlimit64", {2}), Errno(EPERM));
  EXPECT_EQ(On("prlimit64", {0xffffffff}), Errno(EPERM));
  // The kernel would see process 1.
  EXPECT_EQ(On("prlimit64", {kHigh | 1}), Errno(EPERM));
}

TEST_P(ProgramArgumentsTest, TheLimitOfCoreDumpsStays) {
  for (const uint64_t high : {uint64_t{0}, kHigh, kAllHigh}) {
    const uint64_t core = high | RLIMIT_CORE;
    EXPECT_EQ(On("setrlimit", {core, 1}), kPretend);
    EXPECT_EQ(On("prlimit64", {0, core, 1, 0}), kPretend);
    EXPECT_EQ(On("prlimit64", {high, core, 1, 0}), kPretend);
    EXPECT_EQ(On("prlimit64", {0, core, 1, 1}), Errno(EPERM));
    // Any bit makes a pointer.
    EXPECT_EQ(On("prlimit64", {0, core, kHigh, 0}), kPretend);
    EXPECT_EQ(On("prlimit64", {0, core, kHigh, kHigh}), Errno(EPERM));
    EXPECT_EQ(On("prlimit64", {0, core, 0, 1}), kAllow);
    EXPECT_EQ(On("prlimit64", {1, core, 1, 0}), Errno(EPERM));
  }
  EXPECT_EQ(On("getrlimit", {RLIMIT_CORE, 1}), kAllow);
  for (const uint64_t other : {RLIMIT_STACK, RLIMIT_NOFILE, RLIMIT_CPU}) {
    EXPECT_EQ(On("setrlimit", {other, 1}), kAllow);
    EXPECT_EQ(On("prlimit64", {0, other, 1, 0}), kAllow);
  }
}

TEST_P(ProgramArgumentsTest, TerminalRequestsByTheirLowHalf) {
  for (const uint64_t request :
       {uint64_t{TIOCSTI}, uint64_t{TIOCLINUX}, uint64_t{TIOCSETD}}) {
    EXPECT_EQ(On("ioctl", {0, request}), Errno(EPERM)) << request;
    EXPECT_EQ(On("ioctl", {0, request | kHigh}), Errno(EPERM)) << request;
    EXPECT_EQ(On("ioctl", {0, request | kAllHigh}), Errno(EPERM)) << request;
    EXPECT_EQ(On("ioctl", {~uint64_t{0}, request, 1}), Errno(EPERM)) << request;
    EXPECT_EQ(On("ioctl", {0, request ^ 1}), kAllow) << request;
  }
  for (const uint64_t request :
       {uint64_t{TCGETS}, uint64_t{TIOCGWINSZ}, uint64_t{FIONREAD},
        uint64_t{TIOCSCTTY}, uint64_t{FIONBIO}}) {
    EXPECT_EQ(On("ioctl", {0, request}), kAllow) << request;
  }
}

TEST_P(ProgramArgumentsTest, PagesSharedWithOtherJobs) {
  EXPECT_EQ(On("prctl", {67, 1}), Errno(EPERM));
  EXPECT_EQ(On("prctl", {kAllHigh | 67, 1}), Errno(EPERM));
  EXPECT_EQ(On("madvise", {4096, 4096, MADV_MERGEABLE}), Errno(EPERM));
  EXPECT_EQ(On("madvise", {4096, 4096, kAllHigh | MADV_MERGEABLE}),
            Errno(EPERM));
  for (const uint64_t advice : {MADV_DONTNEED, MADV_UNMERGEABLE, MADV_HUGEPAGE,
                                MADV_NOHUGEPAGE, MADV_FREE}) {
    EXPECT_EQ(On("madvise", {4096, 4096, advice}), kAllow) << advice;
  }
}

TEST_P(ProgramArgumentsTest, FiltersOfItsOwn) {
  // The other two ways take a program that bpf(2), refused, has loaded.
  for (const uint64_t high : {uint64_t{0}, kHigh, kAllHigh}) {
    EXPECT_EQ(On("seccomp", {high | SECCOMP_SET_MODE_FILTER}), Errno(EINVAL));
    EXPECT_EQ(On("seccomp", {high | SECCOMP_SET_MODE_FILTER, 8, 1}),
              Errno(EINVAL));
    EXPECT_EQ(On("prctl", {high | PR_SET_SECCOMP, SECCOMP_MODE_FILTER, 1}),
              Errno(EINVAL));
    EXPECT_EQ(On("seccomp", {high | 4}), Errno(EINVAL));
    for (const uint64_t option : {SO_ATTACH_FILTER, SO_ATTACH_REUSEPORT_CBPF}) {
      EXPECT_EQ(On("setsockopt", {3, high | SOL_SOCKET, high | option}),
                Errno(EPERM));
      EXPECT_EQ(On("setsockopt", {3, SOL_TCP, option}), kAllow);
    }
  }
  EXPECT_EQ(On("seccomp", {SECCOMP_SET_MODE_STRICT}), kAllow);
  EXPECT_EQ(On("seccomp", {SECCOMP_GET_ACTION_AVAIL, 0, 1}), kAllow);
  EXPECT_EQ(On("seccomp", {SECCOMP_GET_NOTIF_SIZES, 0, 1}), kAllow);
  EXPECT_EQ(On("prctl", {PR_SET_SECCOMP, SECCOMP_MODE_STRICT}), kAllow);
  EXPECT_EQ(On("setsockopt", {3, SOL_SOCKET, SO_REUSEPORT}), kAllow);
}

TEST_P(ProgramArgumentsTest, FlushesOfAnImage) {
  for (const uint64_t request : {0x9408ul, 0x80089418ul}) {
    EXPECT_EQ(On("ioctl", {3, request}), Errno(EPERM));
    EXPECT_EQ(On("ioctl", {3, kHigh | request}), Errno(EPERM));
  }
  EXPECT_EQ(On("ioctl", {3, FICLONE}), kAllow);
  EXPECT_EQ(On("fadvise64", {3, 0, 0, kHigh | POSIX_FADV_DONTNEED}), kPretend);
  EXPECT_EQ(On("fadvise64", {3, 0, 0, POSIX_FADV_WILLNEED}), kAllow);
}

TEST_P(ProgramArgumentsTest, KeysOfFileSystems) {
  const uint64_t add = FS_IOC_ADD_ENCRYPTION_KEY;
  EXPECT_EQ(On("ioctl", {3, add}), Errno(EPERM));
  EXPECT_EQ(On("ioctl", {3, add | kHigh}), Errno(EPERM));
  EXPECT_EQ(On("ioctl", {3, FS_IOC_GETFLAGS}), kAllow);
}

TEST_P(ProgramArgumentsTest, CoreScheduling) {
  EXPECT_EQ(On("prctl", {PR_SCHED_CORE, 1}), Errno(EPERM));
  EXPECT_EQ(On("prctl", {PR_SCHED_CORE | kHigh, 1}), Errno(EPERM));
  EXPECT_EQ(On("prctl", {PR_SET_NAME}), kAllow);
  EXPECT_EQ(On("prctl", {PR_SCHED_CORE + 1}), kAllow);
}

TEST_P(ProgramArgumentsTest, DirectoryNotification) {
  constexpr uint64_t kNotify = 1026;  // F_NOTIFY
  EXPECT_EQ(On("fcntl", {3, kNotify, 1}), Errno(EPERM));
  EXPECT_EQ(On("fcntl", {3, kNotify | kHigh, 1}), Errno(EPERM));
  EXPECT_EQ(On("fcntl", {3, kNotify + 1}), kAllow);
  EXPECT_EQ(On("fcntl", {3, 2, 1}), kAllow);  // F_SETFD
}

TEST_P(ProgramArgumentsTest, HugePages) {
  const uint64_t anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  EXPECT_EQ(On("mmap", {0, 4096, 3, anonymous}), kAllow);
  EXPECT_EQ(On("mmap", {0, 4096, 3, anonymous | MAP_HUGETLB}), Errno(EPERM));
  EXPECT_EQ(On("mmap", {0, 4096, 3, anonymous | MAP_HUGETLB | kHigh}),
            Errno(EPERM));
  EXPECT_EQ(On("shmget", {0, 4096, 0600}), kAllow);
  EXPECT_EQ(On("shmget", {0, 4096, 0600 | SHM_HUGETLB}), Errno(EPERM));
  EXPECT_EQ(On("memfd_create", {0, MFD_CLOEXEC | MFD_ALLOW_SEALING}), kAllow);
  EXPECT_EQ(On("memfd_create", {0, MFD_CLOEXEC | MFD_HUGETLB}), Errno(EPERM));
}

TEST_P(ProgramArgumentsTest, DescriptorsThatAThreadWaitsFor) {
  for (const char* call : {"poll", "ppoll", "select", "pselect6"}) {
    if (!HasCall(call)) continue;
    const auto with = [&](uint64_t count) {
      return call[0] == 'p' && call[1] != 's' ? On(call, {1, count})
                                              : On(call, {count, 0});
    };
    for (const uint64_t count : {0, 1, 1023, 1024}) {
      EXPECT_EQ(with(count), kAllow) << call << count;
      EXPECT_EQ(with(kHigh | count), kAllow) << "the kernel sees no such bit";
    }
    for (const uint64_t count : {1025, 2047, 2048, 20000}) {
      EXPECT_EQ(with(count), Errno(EINVAL)) << call << count;
      EXPECT_EQ(with(kHigh | count), Errno(EINVAL));
    }
  }
}

// Nothing in a filter is dead or was left untried: small values of every
// number, then the values that rules compare with.
void TryEverything(FilterUnderTest& filter) {
  std::mt19937_64 random(1);
  for (uint32_t number = 0; number <= 1100; ++number) {
    filter.VerdictOn(NativeCall(number));
  }
  filter.VerdictOn(NativeCall(0x40000000));
  seccomp_data foreign = NativeCall(0);
  foreign.arch = ~foreign.arch;
  filter.VerdictOn(foreign);
  for (const auto rules : {ProgramArgumentRules(), InternetSocketRules()}) {
    for (const ArgumentRule& rule : rules) {
      if (!HasCall(rule.name)) continue;
      for (int i = 0; i < 64; ++i) {
        std::vector<uint64_t> arguments(6);
        for (uint64_t& argument : arguments) {
          argument = random() >> (random() % 2 * 32);
        }
        for (const ArgumentTest& test : rule.tests) {
          if (random() % 3 == 0) continue;
          arguments[test.argument] &= ~test.mask;
          arguments[test.argument] |= test.value;
        }
        filter.VerdictOn(rule.name, arguments);
      }
    }
  }
}

TEST_P(ProgramArgumentsTest, NoInstructionIsLeftUntried) {
  TryEverything(filter_);
  EXPECT_THAT(filter_.Untried(), IsEmpty());
}

}  // namespace
}  // namespace paddock
