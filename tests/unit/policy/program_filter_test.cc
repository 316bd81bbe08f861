// What the filter of programs says of each call, by number alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/socket.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_split.h"
#include "tests/support/filter_calls.h"
#include "worker/policy/rules.h"

namespace paddock {
namespace {

constexpr uint32_t kLastNumber = 1100;

// Calls this architecture has none of are left out.
std::vector<std::string> Native(absl::string_view names) {
  std::vector<std::string> native;
  for (absl::string_view name : absl::StrSplit(names, ' ', absl::SkipEmpty())) {
    EXPECT_TRUE(IsSystemCallName(name)) << name;
    if (HasCall(name)) native.emplace_back(name);
  }
  return native;
}

// What each weakening opens. Named here again, as the calls below.
const std::map<Weakening, std::set<std::string>> kOpened = {
    {Weakening::kFullProc, {}},
    {Weakening::kInotify,
     {"inotify_init", "inotify_init1", "inotify_add_watch",
      "inotify_rm_watch"}},
    {Weakening::kPtrace, {"ptrace", "process_vm_readv", "process_vm_writev"}},
};

bool IsOpened(const std::string& name, Weakenings weakenings) {
  for (const auto& [token, names] : kOpened) {
    if (weakenings.Has(token) && names.count(name) > 0) return true;
  }
  return false;
}

// Under every profile, but for the calls that it opens.
void ExpectAll(uint32_t verdict, absl::string_view names) {
  for (const Weakenings weakenings : EverySetOfWeakenings()) {
    for (const bool internet : {false, true}) {
      FilterUnderTest filter =
          FilterUnderTest::OfPrograms(internet, weakenings);
      for (const std::string& name : Native(names)) {
        const uint32_t expected = IsOpened(name, weakenings) ? kAllow : verdict;
        EXPECT_EQ(filter.VerdictOn(name), expected) << name;
        const uint64_t all = ~uint64_t{0};
        EXPECT_EQ(filter.VerdictOn(name, {all, all, all, all, all, all}),
                  expected)
            << name;
      }
    }
  }
}

TEST(ProgramFilterTest, EveryWeakeningIsLookedAt) {
  EXPECT_EQ(kOpened.size(), std::size(kEveryWeakening));
  EXPECT_EQ(EverySetOfWeakenings().size(), 1u << kOpened.size());
  std::set<std::string> in_rules;
  for (const WeakeningRule& rule : WeakeningRules()) {
    EXPECT_STRNE(rule.reason, "");
    for (const std::string& name : Native(rule.names)) {
      in_rules.insert(name);
      EXPECT_EQ(kOpened.at(rule.weakening).count(name), 1u) << name;
    }
  }
  for (const auto& [token, names] : kOpened) {
    for (const std::string& name : names) {
      EXPECT_EQ(in_rules.count(name), Native(name).size()) << name;
    }
  }
}

// Named here again, so that no edit of the rules opens one unseen.
TEST(ProgramFilterTest, RefusesWhateverTheArguments) {
  ExpectAll(
      Errno(EPERM),
      "ptrace process_vm_readv process_vm_writev process_madvise "
      "process_mrelease kcmp pidfd_getfd add_key keyctl request_key bpf "
      "perf_event_open userfaultfd fanotify_init fanotify_mark "
      "open_by_handle_at name_to_handle_at memfd_secret modify_ldt "
      "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch mount "
      "umount2 pivot_root chroot unshare setns quotactl quotactl_fd acct "
      "syslog settimeofday clock_settime adjtimex clock_adjtime sethostname "
      "setdomainname vhangup lookup_dcookie uselib sysfs ustat mbind "
      "set_mempolicy set_mempolicy_home_node migrate_pages move_pages "
      "get_mempolicy ioprio_set io_setup io_destroy io_getevents io_submit "
      "io_cancel io_pgetevents remap_file_pages vmsplice statmount listmount "
      "uretprobe map_shadow_stack lsm_get_self_attr lsm_set_self_attr "
      "lsm_list_modules fsopen fsconfig fsmount fspick open_tree "
      "open_tree_attr move_mount mount_setattr");
  ExpectAll(Errno(ENOSYS),
            "clone3 io_uring_setup io_uring_enter io_uring_register");
}

TEST(ProgramFilterTest, ReportsViolations) {
  ExpectAll(kViolation,
            "kexec_load kexec_file_load init_module finit_module delete_module "
            "reboot swapon swapoff iopl ioperm");
}

TEST(ProgramFilterTest, PretendsToFlush) {
  ExpectAll(kPretend, "sync syncfs fsync fdatasync");
}

TEST(ProgramFilterTest, AnswersAsAKernelWithout) {
  ExpectAll(Errno(EOPNOTSUPP),
            "setxattr lsetxattr fsetxattr setxattrat landlock_create_ruleset "
            "landlock_add_rule landlock_restrict_self");
}

TEST(ProgramFilterTest, AllowsWhatTheWaitingProgramCalls) {
  ExpectAll(kAllow,
            "recvmsg setrlimit close_range close dup2 dup3 chdir "
            "execve execveat write read exit_group rt_sigprocmask "
            "rt_sigaction rt_sigreturn umask setsid prctl getpid");
  for (const bool internet_sockets : {false, true}) {
    FilterUnderTest filter = FilterUnderTest::OfPrograms(internet_sockets);
    EXPECT_EQ(filter.VerdictOn("prlimit64", {0}), kAllow);
    if (HasCall("poll")) {
      EXPECT_EQ(filter.VerdictOn("poll", {0, 3, ~0ul}), kAllow);
    }
    EXPECT_EQ(filter.VerdictOn("ppoll", {0, 3, ~0ul}), kAllow);
    EXPECT_EQ(filter.VerdictOn("sendmsg", {3, ~0ul, MSG_NOSIGNAL}), kAllow);
  }
}

TEST(ProgramFilterTest, AllowsWhatRunTimesNeed) {
  ExpectAll(kAllow,
            "open openat openat2 mprotect munmap brk futex rseq membarrier "
            "set_robust_list get_robust_list sched_getaffinity "
            "sched_setaffinity setpriority epoll_create1 epoll_pwait eventfd2 "
            "timerfd_create signalfd4 pidfd_open pidfd_send_signal waitid "
            "wait4 vfork fork pkey_alloc pkey_mprotect mlock madvise mremap "
            "shmat semop msgsnd mq_open sigaltstack tgkill timer_create "
            "getrandom statx copy_file_range sendfile splice accept4 connect "
            "bind listen mknodat renameat2 "
            "clock_nanosleep restart_syscall faccessat2 fchmodat2 futex_waitv");
}

// The tests of numbers, in every filter.
class EveryFilterTest : public FilterOfProgramsTest {};
INSTANTIATE_TEST_SUITE_P(ProgramFilter, EveryFilterTest,
                         testing::ValuesIn(EveryFilterOfPrograms()));

TEST_P(EveryFilterTest, UnknownNumbersAreNotThere) {
  for (const uint32_t number : {1101u, 4096u, 0x3fffffffu}) {
    EXPECT_EQ(filter_.VerdictOn(NativeCall(number)), Errno(ENOSYS)) << number;
  }
}

TEST_P(EveryFilterTest, X32IsNotThere) {
  for (uint32_t number = 0; number <= kLastNumber; ++number) {
    ASSERT_EQ(filter_.VerdictOn(NativeCall(0x40000000 | number)),
              Errno(ENOSYS));
  }
  EXPECT_EQ(filter_.VerdictOn(NativeCall(UINT32_MAX)), Errno(ENOSYS));
}

TEST_P(EveryFilterTest, ForeignArchitecturesAreViolations) {
  const uint32_t native = NativeArchitecture();
  // The last two: one bit off, byte order and width.
  for (const uint32_t arch :
       {uint32_t{AUDIT_ARCH_I386}, uint32_t{AUDIT_ARCH_ARM}, 0u, UINT32_MAX,
        native ^ __AUDIT_ARCH_LE, native ^ __AUDIT_ARCH_64BIT}) {
    for (uint32_t number = 0; number <= kLastNumber; ++number) {
      seccomp_data data = NativeCall(number);
      data.arch = arch;
      ASSERT_EQ(filter_.VerdictOn(data), kViolation) << arch << " " << number;
    }
  }
}

using Arguments = std::vector<uint64_t>;

// What the rules say of one number, read without the compiler.
struct TableEntry {
  std::vector<ArgumentRule> rules;  // the first that holds decides
  uint32_t otherwise = Errno(ENOSYS);

  uint32_t Verdict(const Arguments& arguments) const {
    const auto holds = [&](const ArgumentTest& test) {
      return (arguments[test.argument] & test.mask) == test.value;
    };
    for (const ArgumentRule& rule : rules) {
      if (std::all_of(std::begin(rule.tests), std::end(rule.tests), holds)) {
        return rule.verdict;
      }
    }
    return otherwise;
  }
};

std::map<uint32_t, TableEntry> Table(const FilterOptions& options) {
  std::map<uint32_t, TableEntry> table;
  const auto entry = [&](absl::string_view name) -> TableEntry& {
    return table[*SystemCallNumber(NativeArchitecture(), name)];
  };
  for (const CallRule& rule : ProgramCallRules()) {
    for (const std::string& name : Native(rule.names)) {
      entry(name).otherwise =
          IsOpened(name, options.weakenings) ? kAllow : rule.verdict;
    }
  }
  if (options.internet_sockets) {
    for (const ArgumentRule& rule : InternetSocketRules()) {
      if (HasCall(rule.name)) entry(rule.name).rules.push_back(rule);
    }
  }
  for (const ArgumentRule& rule : ProgramArgumentRules()) {
    if (HasCall(rule.name)) entry(rule.name).rules.push_back(rule);
  }
  return table;
}

// Edges of the kernel's types, and of each rule what passes its tests and what
// is one bit off: a bit they look at, or one that they must not see.
std::vector<Arguments> EdgeArguments(const TableEntry& entry) {
  std::vector<Arguments> edges;
  for (const uint64_t edge :
       {uint64_t{0}, uint64_t{1}, uint64_t{INT32_MAX}, uint64_t{1} << 31,
        uint64_t{UINT32_MAX}, uint64_t{1} << 32, ~uint64_t{0}}) {
    edges.emplace_back(6, edge);
  }
  for (const ArgumentRule& rule : entry.rules) {
    for (const uint64_t rest : {uint64_t{0}, ~uint64_t{0}}) {
      Arguments passes(6, rest);
      for (const ArgumentTest& test : rule.tests) {
        passes[test.argument] &= ~test.mask;
        passes[test.argument] |= test.value;
      }
      edges.push_back(passes);
      for (const ArgumentTest& test : rule.tests) {
        for (int bit = 0; test.mask != 0 && bit < 64; ++bit) {
          edges.push_back(passes);
          edges.back()[test.argument] ^= uint64_t{1} << bit;
        }
      }
    }
  }
  return edges;
}

TEST_P(EveryFilterTest, EveryNumberWithEdgeArgumentsIsAsTheTableSays) {
  std::map<uint32_t, TableEntry> table = Table(GetParam());
  for (uint32_t number = 0; number <= kLastNumber; ++number) {
    const TableEntry& entry = table[number];
    for (const Arguments& arguments : EdgeArguments(entry)) {
      ASSERT_EQ(filter_.VerdictOn(NativeCall(number, arguments)),
                entry.Verdict(arguments))
          << number << " "
          << SystemCallName(NativeArchitecture(), static_cast<int>(number))
          << " " << testing::PrintToString(arguments);
    }
  }
}

TEST(ProgramRulesTest, EveryKnownCallHasARule) {
  std::set<std::string> ruled;
  for (const CallRule& rule : ProgramCallRules()) {
    for (absl::string_view name :
         absl::StrSplit(rule.names, ' ', absl::SkipEmpty())) {
      ruled.emplace(name);
    }
  }
  for (uint32_t number = 0; number <= kLastNumber; ++number) {
    const std::string name =
        SystemCallName(NativeArchitecture(), static_cast<int>(number));
    EXPECT_TRUE(name == "unknown" || ruled.count(name) > 0)
        << number << " " << name;
  }
}

// A name that is misspelt would be taken for another architecture's.
TEST(ProgramRulesTest, EveryNameIsACallAndEveryRuleHasAReason) {
  for (const auto rules : {ProgramCallRules(), WorkerCallRules()}) {
    for (const CallRule& rule : rules) {
      EXPECT_STRNE(rule.reason, "") << rule.names;
      for (absl::string_view name :
           absl::StrSplit(rule.names, ' ', absl::SkipEmpty())) {
        EXPECT_TRUE(IsSystemCallName(name)) << name;
      }
    }
  }
  for (const auto rules : {ProgramArgumentRules(), InternetSocketRules()}) {
    for (const ArgumentRule& rule : rules) {
      EXPECT_STRNE(rule.reason, "") << rule.name;
      EXPECT_TRUE(IsSystemCallName(rule.name)) << rule.name;
    }
  }
}

// Loading costs time in proportion: a rule that makes it grow is worth a look.
TEST(ProgramFilterTest, IsShort) {
  EXPECT_LE(FilterUnderTest::OfPrograms(false).size(), 338u);
  EXPECT_LE(FilterUnderTest::OfPrograms(true).size(), 488u);
  for (const Weakenings weakenings : EverySetOfWeakenings()) {
    EXPECT_LE(FilterUnderTest::OfPrograms(true, weakenings).size(), 488u);
  }
}

}  // namespace
}  // namespace paddock
