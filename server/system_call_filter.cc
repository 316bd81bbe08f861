#include "server/system_call_filter.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>

#include "absl/strings/str_cat.h"
#include "worker/base/refused_call.h"
#include "worker/base/status_macros.h"

namespace paddock {
namespace {

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

struct DeniedCall {
  int number;
  const char* reason;
};

constexpr char kExec[] = "the server starts no programs";
constexpr char kProcesses[] = "the server starts threads, no processes";
constexpr char kOthers[] = "other processes are none of its business";
constexpr char kMounts[] = "the file tree is the supervisor's and workers'";
constexpr char kNamespaces[] = "it stays in the namespaces it was given";
constexpr char kKernel[] =
    "an interface to the kernel that only widens what "
    "can be attacked";
constexpr char kHost[] = "the host's state";

constexpr DeniedCall kDenied[] = {
    {SCMP_SYS(execve), kExec},
    {SCMP_SYS(execveat), kExec},
    {SCMP_SYS(uselib), kExec},
    {SCMP_SYS(fork), kProcesses},
    {SCMP_SYS(vfork), kProcesses},
    {SCMP_SYS(ptrace), kOthers},
    {SCMP_SYS(process_vm_readv), kOthers},
    {SCMP_SYS(process_vm_writev), kOthers},
    {SCMP_SYS(process_madvise), kOthers},
    {SCMP_SYS(process_mrelease), kOthers},
    {SCMP_SYS(pidfd_open), kOthers},
    {SCMP_SYS(pidfd_getfd), kOthers},
    {SCMP_SYS(pidfd_send_signal), kOthers},
    {SCMP_SYS(tkill), kOthers},
    {SCMP_SYS(setpriority), kOthers},
    {SCMP_SYS(ioprio_set), kOthers},
    {SCMP_SYS(kcmp), kOthers},
    {SCMP_SYS(migrate_pages), kOthers},
    {SCMP_SYS(move_pages), kOthers},
    {SCMP_SYS(mount), kMounts},
    {SCMP_SYS(umount2), kMounts},
    {SCMP_SYS(pivot_root), kMounts},
    {SCMP_SYS(chroot), kMounts},
    {SCMP_SYS(open_tree), kMounts},
    {SCMP_SYS(move_mount), kMounts},
    {SCMP_SYS(fsopen), kMounts},
    {SCMP_SYS(fsconfig), kMounts},
    {SCMP_SYS(fsmount), kMounts},
    {SCMP_SYS(fspick), kMounts},
    {SCMP_SYS(mount_setattr), kMounts},
    {SCMP_SYS(open_by_handle_at), kMounts},
    {SCMP_SYS(mknod), kMounts},
    {SCMP_SYS(unshare), kNamespaces},
    {SCMP_SYS(setns), kNamespaces},
    {SCMP_SYS(bpf), kKernel},
    {SCMP_SYS(perf_event_open), kKernel},
    {SCMP_SYS(userfaultfd), kKernel},
    {SCMP_SYS(io_uring_setup), kKernel},
    {SCMP_SYS(io_uring_enter), kKernel},
    {SCMP_SYS(io_uring_register), kKernel},
    {SCMP_SYS(add_key), kKernel},
    {SCMP_SYS(request_key), kKernel},
    {SCMP_SYS(keyctl), kKernel},
    {SCMP_SYS(fanotify_init), kKernel},
    {SCMP_SYS(modify_ldt), kKernel},
    {SCMP_SYS(personality), kKernel},
    {SCMP_SYS(lookup_dcookie), kKernel},
    {SCMP_SYS(memfd_secret), kKernel},
    {SCMP_SYS(vmsplice), kKernel},
    {SCMP_SYS(remap_file_pages), kKernel},
    {SCMP_SYS(init_module), kHost},
    {SCMP_SYS(finit_module), kHost},
    {SCMP_SYS(delete_module), kHost},
    {SCMP_SYS(kexec_load), kHost},
    {SCMP_SYS(kexec_file_load), kHost},
    {SCMP_SYS(reboot), kHost},
    {SCMP_SYS(swapon), kHost},
    {SCMP_SYS(swapoff), kHost},
    {SCMP_SYS(acct), kHost},
    {SCMP_SYS(quotactl), kHost},
    {SCMP_SYS(quotactl_fd), kHost},
    {SCMP_SYS(syslog), kHost},
    {SCMP_SYS(vhangup), kHost},
    {SCMP_SYS(nfsservctl), kHost},
    {SCMP_SYS(sethostname), kHost},
    {SCMP_SYS(setdomainname), kHost},
    {SCMP_SYS(settimeofday), kHost},
    {SCMP_SYS(clock_settime), kHost},
    {SCMP_SYS(clock_adjtime), kHost},
    {SCMP_SYS(adjtimex), kHost},
    {SCMP_SYS(iopl), kHost},
    {SCMP_SYS(ioperm), kHost},
};

// Calls whose first argument says whom they are for. Without root the server's
// user is that of the workers, which it could stop while programs run.
struct OwnCall {
  int number;
  bool by_zero;  // 0 is the caller; else only its pid is let through
};

constexpr OwnCall kForItselfOnly[] = {
    {SCMP_SYS(kill), false},
    {SCMP_SYS(tgkill), false},
    {SCMP_SYS(rt_sigqueueinfo), false},
    {SCMP_SYS(rt_tgsigqueueinfo), false},
    {SCMP_SYS(prlimit64), true},
    {SCMP_SYS(sched_setaffinity), true},
    {SCMP_SYS(sched_setattr), true},
    {SCMP_SYS(sched_setparam), true},
    {SCMP_SYS(sched_setscheduler), true},
};

absl::Status Check(int result, absl::string_view what) {
  if (result == 0) return absl::OkStatus();
  return ErrnoStatus(-result, what);
}

absl::Status AllowForItselfOnly(scmp_filter_ctx filter) {
  for (const OwnCall& call : kForItselfOnly) {
    const scmp_datum_t itself = call.by_zero ? 0 : getpid();
    RETURN_IF_ERROR(
        Check(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call.number, 1,
                               SCMP_A0(SCMP_CMP_NE, itself)),
              absl::StrCat("rule for call ", call.number)));
  }
  return absl::OkStatus();
}

// The kernel itself signals who is named by these, for whoever asked: fcntl(2),
// "Managing signals". It asks for the same user, no more. Both take the low 32
// bits.
absl::Status DenySignalsByFiles(scmp_filter_ctx filter) {
  constexpr struct {
    int call;
    unsigned command;
  } kCommands[] = {
      {SCMP_SYS(fcntl), F_SETOWN},  {SCMP_SYS(fcntl), F_SETOWN_EX},
      {SCMP_SYS(fcntl), F_SETSIG},  {SCMP_SYS(ioctl), FIOSETOWN},
      {SCMP_SYS(ioctl), SIOCSPGRP},
  };
  for (const auto& [call, command] : kCommands) {
    RETURN_IF_ERROR(Check(
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), call, 1,
                         SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, command)),
        absl::StrCat("rule for command ", command)));
  }
  return absl::OkStatus();
}

absl::Status AllowOnlyThreads(scmp_filter_ctx filter) {
  RETURN_IF_ERROR(
      Check(seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)),
            "rule for clone"));
  // Its flags are behind a pointer; on ENOSYS libc falls back to clone.
  return Check(
      seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0),
      "rule for clone3");
}

// AF_NETLINK stays: getaddrinfo(3) asks it for the host's addresses.
absl::Status AllowFewSocketFamilies(scmp_filter_ctx filter) {
  for (unsigned family = 0; family < AF_NETLINK; ++family) {
    if (family == AF_UNIX || family == AF_INET || family == AF_INET6) continue;
    RETURN_IF_ERROR(Check(
        seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
                         1, SCMP_A0(SCMP_CMP_EQ, family)),
        "rule for socket"));
  }
  return Check(
      seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
                       1, SCMP_A0(SCMP_CMP_GT, AF_NETLINK)),
      "rule for socket");
}

// libseccomp asks too, and then tells of it only that it failed.
absl::Status CheckNotRefused() {
  const uint32_t action = SECCOMP_RET_KILL_PROCESS;
  if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0) {
    return absl::OkStatus();
  }
  const int error = errno;
  const absl::Status status = ErrnoStatus(error, "seccomp");
  if (error != EPERM && error != ENOSYS) return status;
  return absl::FailedPreconditionError(
      absl::StrCat(status.message(), ": ", kRefusedByFilter, kAllowCall));
}

}  // namespace

absl::Status LoadServerFilter() {
  RETURN_IF_ERROR(CheckNotRefused());
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW), &seccomp_release);
  if (filter == nullptr) return absl::InternalError("seccomp_init");
  RETURN_IF_ERROR(Check(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH,
                                         SCMP_ACT_KILL_PROCESS),
                        "seccomp_attr_set"));
  for (const DeniedCall& call : kDenied) {
    const int result =
        seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call.number, 0);
    // EDOM: this architecture does not have the call.
    if (result == -EDOM) continue;
    RETURN_IF_ERROR(Check(result, absl::StrCat("rule for call ", call.number,
                                               ", ", call.reason)));
  }
  RETURN_IF_ERROR(AllowForItselfOnly(filter.get()));
  RETURN_IF_ERROR(DenySignalsByFiles(filter.get()));
  RETURN_IF_ERROR(AllowOnlyThreads(filter.get()));
  RETURN_IF_ERROR(AllowFewSocketFamilies(filter.get()));
  return Check(seccomp_load(filter.get()), "seccomp_load");
}

}  // namespace paddock
