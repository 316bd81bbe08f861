#include "worker/policy/rules.h"

namespace paddock {
namespace {

constexpr CallRule kCallRules[] = {
    // ---- allowed
    {kAllow, "files, within the tree the sandbox has",
     "open openat openat2 creat close close_range read write readv writev "
     "pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek fallocate "
     "truncate ftruncate sync_file_range fadvise64 readahead "
     "copy_file_range sendfile flock fcntl ioctl dup dup2 dup3"},
    {kAllow, "names and attributes of files",
     "stat fstat lstat newfstatat statx statfs fstatfs access faccessat "
     "faccessat2 readlink readlinkat getdents getdents64 getcwd chdir fchdir "
     "mkdir mkdirat rmdir rename renameat renameat2 link linkat symlink "
     "symlinkat unlink unlinkat umask chmod fchmod fchmodat fchmodat2 chown "
     "fchown lchown fchownat utime utimes utimensat futimesat getxattr "
     "lgetxattr fgetxattr getxattrat listxattr llistxattr flistxattr "
     "listxattrat removexattr lremovexattr fremovexattr removexattrat"},
    {kAllow, "mkfifo; devices need a capability and a mount with devices",
     "mknod mknodat"},
    {kAllow, "pipes and waiting for descriptors",
     "pipe pipe2 splice tee epoll_create epoll_create1 epoll_ctl epoll_wait "
     "epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 "
     "timerfd_create timerfd_settime timerfd_gettime"},
    {kAllow, "memory of one's own, charged to the job's group",
     "brk mmap munmap mremap mprotect msync madvise mincore mlock mlock2 "
     "munlock mlockall munlockall pkey_alloc pkey_free pkey_mprotect mseal "
     "memfd_create"},
    {kAllow, "processes and threads, within the job's pid namespace",
     "fork vfork execve execveat exit exit_group wait4 waitid getpid getppid "
     "gettid getpgid getpgrp setpgid getsid setsid set_tid_address "
     "set_robust_list get_robust_list rseq prctl arch_prctl pidfd_open "
     "pidfd_send_signal restart_syscall"},
    {kAllow, "locks between threads",
     "futex futex_waitv futex_wake futex_wait futex_requeue membarrier"},
    {kAllow, "signals, within the job's pid namespace",
     "kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigreturn "
     "rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_tgsigqueueinfo "
     "rt_sigsuspend sigaltstack pause"},
    {kAllow, "clocks and timers",
     "time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep "
     "alarm getitimer setitimer timer_create timer_settime timer_gettime "
     "timer_getoverrun timer_delete times"},
    {kAllow, "scheduling of one's own; raising needs a capability or a limit",
     "sched_yield sched_setaffinity sched_getaffinity sched_setparam "
     "sched_getparam sched_setscheduler sched_getscheduler sched_setattr "
     "sched_getattr sched_get_priority_max sched_get_priority_min "
     "sched_rr_get_interval getpriority setpriority ioprio_get getcpu"},
    {kAllow, "identity: ids outside the map and more rights are not to be had",
     "getuid geteuid getgid getegid getresuid getresgid getgroups setuid "
     "setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups "
     "capget capset"},
    {kAllow, "limits and figures", "getrlimit setrlimit getrusage"},
    {kAllow, "what this system is", "uname sysinfo getrandom"},
    {kAllow, "sockets, once socket(2) has let one through",
     "connect accept accept4 bind listen shutdown sendto sendmsg sendmmsg "
     "recvfrom recvmsg recvmmsg getsockname getpeername setsockopt getsockopt"},
    {kAllow, "IPC of the job's own namespace",
     "shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd "
     "msgrcv msgctl mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify "
     "mq_getsetattr"},

    // ---- decided by argument rules; otherwise refused
    {Errno(EPERM), "flags that make namespaces", "clone"},
    {Errno(EINVAL), "more descriptors at a time: memory that no limit counts",
     "poll ppoll select pselect6"},
    {Errno(EPERM), "ASLR off, READ_IMPLIES_EXEC", "personality"},
    {Errno(EPERM), "limits of another process of the same user", "prlimit64"},
    {Errno(EINVAL), "filters: code that no limit counts, records of the host",
     "seccomp"},
    {Errno(EAFNOSUPPORT), "families are an attack surface: vsock, alg, netlink",
     "socket socketpair"},

    // ---- ends the run
    {kViolation, "replaces or extends the kernel",
     "kexec_load kexec_file_load init_module finit_module delete_module"},
    {kViolation, "the whole machine's", "reboot swapon swapoff"},
    {kViolation, "hardware ports", "iopl ioperm"},

    // ---- not carried out, as if it were
    {kPretend, "would flush the disks of every other job; here all is memory",
     "sync syncfs fsync fdatasync"},

    // ---- refused
    // As a file system without attributes does: cp(1) and tar(1) go on.
    {Errno(EOPNOTSUPP), "an access list is memory that no limit counts: acl(5)",
     "setxattr lsetxattr fsetxattr setxattrat"},
    // As where it was not switched on: landlock(7).
    {Errno(EOPNOTSUPP), "each denial may be a record of the host's audit",
     "landlock_create_ruleset landlock_add_rule landlock_restrict_self"},
    {Errno(ENOSYS), "its flags are behind a pointer; libc falls back to clone",
     "clone3"},
    {Errno(ENOSYS), "bug-rich; event libraries fall back to epoll",
     "io_uring_setup io_uring_enter io_uring_register"},
    {Errno(EPERM), "other processes' memory, descriptors and state",
     "ptrace process_vm_readv process_vm_writev process_madvise "
     "process_mrelease kcmp pidfd_getfd"},
    {Errno(EPERM), "a key can outlive the job: keyrings(7)",
     "add_key request_key keyctl"},
    {Errno(EPERM), "programs and probes in the kernel",
     "bpf perf_event_open uretprobe uprobe"},
    {Errno(EPERM), "lets a program hold the kernel up in a page fault",
     "userfaultfd"},
    {Errno(EPERM), "memory that no one else can look at or reclaim",
     "memfd_secret"},
    {Errno(EPERM), "segments of other widths, 16-bit code", "modify_ldt"},
    {Errno(EPERM), "handles name files outside the tree",
     "open_by_handle_at name_to_handle_at"},
    {Errno(EPERM), "files of the image are shared: tells what others do",
     "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
     "fanotify_init fanotify_mark cachestat"},
    {Errno(EPERM), "mounts",
     "mount umount2 move_mount fsopen fsconfig fsmount fspick open_tree "
     "open_tree_attr mount_setattr statmount listmount pivot_root chroot"},
    {Errno(EPERM), "namespaces", "unshare setns"},
    {Errno(EPERM), "the host's names and clocks",
     "sethostname setdomainname settimeofday clock_settime adjtimex "
     "clock_adjtime"},
    {Errno(EPERM), "the host's log, accounting, quotas, terminals, security",
     "syslog acct quotactl quotactl_fd vhangup lookup_dcookie "
     "lsm_get_self_attr lsm_set_self_attr lsm_list_modules"},
    {Errno(EPERM), "placement of memory on the host's nodes",
     "mbind set_mempolicy set_mempolicy_home_node get_mempolicy "
     "migrate_pages move_pages"},
    {Errno(EPERM), "priority over others' disk access", "ioprio_set"},
    {Errno(EPERM), "kernel AIO: rare, limited host-wide",
     "io_setup io_destroy io_getevents io_submit io_cancel io_pgetevents"},
    {Errno(EPERM), "rare, with a history of bugs",
     "remap_file_pages vmsplice map_shadow_stack uselib ustat sysfs"},
    {Errno(ENOSYS), "too new to be needed; libraries fall back to ioctl",
     "file_getattr file_setattr"},
    {Errno(ENOSYS), "for 32-bit code", "set_thread_area get_thread_area"},
    {Errno(ENOSYS), "no kernel has them any more",
     "_sysctl create_module get_kernel_syms query_module nfsservctl getpmsg "
     "putpmsg afs_syscall tuxcall security vserver epoll_ctl_old "
     "epoll_wait_old"},
};

}  // namespace

absl::Span<const CallRule> ProgramCallRules() { return kCallRules; }

}  // namespace paddock
