#include "worker/policy/rules.h"

namespace paddock {
namespace {

// What a worker never calls, so that one that is captured cannot either. All
// of it is refused to programs too: they inherit this filter.
constexpr CallRule kWorkerRules[] = {
    {kUntraced, "replaces or extends the kernel",
     "init_module finit_module delete_module create_module kexec_load "
     "kexec_file_load bpf"},
    {kUntraced, "other processes' memory, descriptors and state",
     "ptrace process_vm_readv process_vm_writev process_madvise "
     "process_mrelease kcmp pidfd_getfd perf_event_open"},
    {kUntraced, "names files outside the trees it was given",
     "open_by_handle_at name_to_handle_at"},
    {kUntraced, "bug-rich, and a way around this filter",
     "io_uring_setup io_uring_enter io_uring_register userfaultfd "
     "modify_ldt vmsplice remap_file_pages uselib"},
    {kUntraced, "a key can outlive the worker: keyrings(7)",
     "add_key request_key keyctl"},
    {kUntraced, "the whole machine's",
     "reboot swapon swapoff acct quotactl quotactl_fd syslog settimeofday "
     "clock_settime adjtimex clock_adjtime vhangup lookup_dcookie iopl "
     "ioperm"},
    {kUntraced, "watches files that others use", "fanotify_init fanotify_mark"},
    {kUntraced, "memory that no one else can look at or reclaim",
     "memfd_secret"},
};

}  // namespace

absl::Span<const CallRule> WorkerCallRules() { return kWorkerRules; }

}  // namespace paddock
