#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/fscrypt.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/shm.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "worker/policy/rules.h"
#include "worker/policy/system_calls.h"

namespace paddock {
namespace {

constexpr uint64_t kEveryBit = ~uint64_t{0};
// What the kernel looks at when the argument is an int: a comparison of all 64
// bits is passed by whoever sets one it ignores (CVE-2019-10063).
constexpr uint64_t kInt = 0xffffffff;

constexpr ArgumentTest IntIs(int argument, uint64_t value) {
  return {argument, kInt, value};
}
// One of `count` numbers, a power of two, from `first` on.
constexpr ArgumentTest IntIsIn(int argument, uint64_t first, uint64_t count) {
  return {argument, kInt & ~(count - 1), first};
}
constexpr ArgumentTest LongIs(int argument, uint64_t value) {
  return {argument, kEveryBit, value};
}
constexpr ArgumentTest HasAll(int argument, uint64_t bits) {
  return {argument, bits, bits};
}
constexpr ArgumentTest HasNone(int argument, uint64_t bits) {
  return {argument, bits, 0};
}
// Of socket(2): every bit but the two flags that ask for nothing new.
constexpr ArgumentTest SocketTypeIs(uint64_t type) {
  return {1, kInt & ~uint64_t{SOCK_CLOEXEC | SOCK_NONBLOCK}, type};
}

// Some 70 bytes for each descriptor that a thread waits for, charged to nobody,
// and a descriptor may be given many times. The usual limit of open files.
constexpr uint64_t kMostPolled = 1024;

// fcntl(2)'s F_NOTIFY, which the C library shows only to GNU programs.
constexpr uint64_t kDirectoryNotify = 1026;
// Its F_SETDELEG of Linux 6.19.
constexpr uint64_t kSetDelegation = 1040;

// SO_TIMESTAMPING is one of two numbers, by the width of time_t.
constexpr uint64_t kTimestampingNew = 65;
// Of ipv6(7), in linux/in6.h, which cannot be included beside netinet/in.h.
constexpr uint64_t kFlowLabelManager = 32;
constexpr uint64_t kPacketOptions = 6;

// What Debian's headers of the kernel do not know yet: prctl(2) of Linux 6.4,
// tcp(7) of 6.7. BTRFS_IOC_SYNC is in the kernel's own header only.
constexpr uint64_t kSetMemoryMerge = 67;
constexpr uint64_t kTcpAoAddKey = 38;
constexpr uint64_t kBtrfsSync = _IO(BTRFS_IOCTL_MAGIC, 8);

// CLONE_NEWTIME cannot be asked for by clone(2), where its bit belongs to the
// exit signal: no signal has that number, so the bit is refused all the same.
constexpr uint64_t kNamespaceFlags =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME;
static_assert(kNamespaceFlags == (0x7e020000 | 0x80));

constexpr ArgumentRule kArgumentRules[] = {
    {"poll", kAllow, "less than a table", {IntIsIn(1, 0, kMostPolled)}},
    {"poll", kAllow, "a table", {IntIs(1, kMostPolled)}},
    {"ppoll", kAllow, "as poll", {IntIsIn(1, 0, kMostPolled)}},
    {"ppoll", kAllow, "as poll", {IntIs(1, kMostPolled)}},
    {"select", kAllow, "as poll", {IntIsIn(0, 0, kMostPolled)}},
    {"select", kAllow, "as poll", {IntIs(0, kMostPolled)}},
    {"pselect6", kAllow, "as poll", {IntIsIn(0, 0, kMostPolled)}},
    {"pselect6", kAllow, "as poll", {IntIs(0, kMostPolled)}},

    // Record locks: 192 bytes each, charged to nobody. What a process shares
    // its descriptors with can keep them beyond its end, and no list tells
    // whose they are then.
    {"fcntl", kCounted, "as many as memory allows", {IntIsIn(1, F_SETLK, 2)}},
    {"fcntl", kCounted, "of an open file", {IntIs(1, F_OFD_SETLK)}},
    {"fcntl", kCounted, "of an open file", {IntIs(1, F_OFD_SETLKW)}},
    {"flock", kAllow, "gives one back", {IntIs(1, LOCK_UN)}},
    {"flock", kAllow, "gives one back", {IntIs(1, LOCK_UN | LOCK_NB)}},
    {"flock", kCounted, "as record locks", {}},
    // As a file system answers that has none. Nobody counts them either.
    {"fcntl", Errno(EINVAL), "a lease", {IntIs(1, F_SETLEASE)}},
    {"fcntl",
     Errno(EINVAL),
     "a lease of a server of files",
     {IntIs(1, kSetDelegation)}},
    {"clone",
     kCounted,
     "record locks that outlive who made them",
     {HasNone(kCloneFlagsArgument, kNamespaceFlags | CLONE_THREAD),
      HasAll(kCloneFlagsArgument, CLONE_FILES)}},
    {"clone",
     kAllow,
     "processes and threads",
     {HasNone(kCloneFlagsArgument, kNamespaceFlags)}},

    {"personality", kAllow, "the default", {LongIs(0, 0)}},
    {"personality", kAllow, "asks, changes nothing", {LongIs(0, 0xffffffff)}},
    {"prlimit64", kAllow, "asks for one's own", {IntIs(0, 0), LongIs(2, 0)}},
    // With any limit but 1 the kernel starts the host's helper for core dumps,
    // core(5). Many set 0 and mean well; who asks in the same call is refused,
    // for no answer would be written.
    {"prlimit64",
     kPretend,
     "core dumps outside of the sandbox",
     {IntIs(0, 0), IntIs(1, RLIMIT_CORE), LongIs(3, 0)}},
    {"prlimit64",
     Errno(EPERM),
     "core dumps outside of the sandbox",
     {IntIs(0, 0), IntIs(1, RLIMIT_CORE)}},
    {"prlimit64", kAllow, "one's own", {IntIs(0, 0)}},
    {"setrlimit",
     kPretend,
     "core dumps outside of the sandbox",
     {IntIs(0, RLIMIT_CORE)}},

    {"ioctl", Errno(EPERM), "types into a terminal", {IntIs(1, TIOCSTI)}},
    {"ioctl", Errno(EPERM), "pastes into a console", {IntIs(1, TIOCLINUX)}},
    {"ioctl", Errno(EPERM), "line disciplines: drivers", {IntIs(1, TIOCSETD)}},
    {"ioctl",
     Errno(EPERM),
     "a key of a file system outlives the job",
     {IntIs(1, FS_IOC_ADD_ENCRYPTION_KEY)}},
    // A filter of a program's own would be machine code of which the host has
    // so much, net.core.bpf_jit_limit, for all and for our own filters; and by
    // SECCOMP_RET_LOG each call a record in the host's audit log.
    {"seccomp",
     kAllow,
     "only system calls one has: strict mode",
     {IntIs(0, SECCOMP_SET_MODE_STRICT)}},
    {"seccomp", kAllow, "asks", {IntIs(0, SECCOMP_GET_ACTION_AVAIL)}},
    {"seccomp", kAllow, "asks", {IntIs(0, SECCOMP_GET_NOTIF_SIZES)}},
    {"prctl",
     Errno(EINVAL),
     "filters, as by seccomp",
     {IntIs(0, PR_SET_SECCOMP), LongIs(1, SECCOMP_MODE_FILTER)}},
    {"setsockopt",
     Errno(EPERM),
     "filters, as by seccomp",
     {IntIs(1, SOL_SOCKET), IntIs(2, SO_ATTACH_FILTER)}},
    {"setsockopt",
     Errno(EPERM),
     "filters, as by seccomp",
     {IntIs(1, SOL_SOCKET), IntIs(2, SO_ATTACH_REUSEPORT_CBPF)}},

    {"ioctl",
     Errno(EPERM),
     "flushes the disk of an image",
     {IntIs(1, kBtrfsSync)}},
    {"ioctl",
     Errno(EPERM),
     "flushes the disk of an image",
     {IntIs(1, BTRFS_IOC_START_SYNC)}},
    // On any socket, by anybody: the kernel starts the host's modprobe.
    {"ioctl",
     Errno(EPERM),
     "loads a driver: bridges",
     {IntIsIn(1, SIOCGIFBR, 2)}},
    {"ioctl",
     Errno(EPERM),
     "loads a driver: VLANs, bonds, bridges, and devices' own requests",
     {IntIsIn(1, SIOCADDDLCI, 128)}},
    {"setsockopt",
     Errno(EPERM),
     "TLS within the kernel, and the drivers of its ciphers",
     {IntIs(1, SOL_TCP), IntIs(2, TCP_ULP)}},
    {"setsockopt",
     Errno(EPERM),
     "loads a driver: the digest of signed segments",
     {IntIs(1, SOL_TCP), IntIs(2, TCP_MD5SIG)}},
    {"setsockopt",
     Errno(EPERM),
     "loads a driver: the digest of signed segments",
     {IntIs(1, SOL_TCP), IntIs(2, TCP_MD5SIG_EXT)}},
    {"setsockopt",
     Errno(EPERM),
     "loads a driver, by a name of one's own: authenticated segments",
     {IntIs(1, SOL_TCP), IntIs(2, kTcpAoAddKey)}},
    {"prctl",
     Errno(EPERM),
     "keeps the other half of a core from every other job",
     {IntIs(0, PR_SCHED_CORE)}},
    {"fadvise64",
     kPretend,
     "drops the pages of an image that other jobs would find",
     {IntIs(3, POSIX_FADV_DONTNEED)}},
    {"fcntl", Errno(EPERM), "as inotify", {IntIs(1, kDirectoryNotify)}},

    {"prctl",
     Errno(EPERM),
     "as MADV_MERGEABLE, for all memory",
     {IntIs(0, kSetMemoryMerge)}},
    {"madvise",
     Errno(EPERM),
     "shares pages with other jobs: what they hold shows by timing",
     {IntIs(2, MADV_MERGEABLE)}},
    {"mmap",
     Errno(EPERM),
     "outside the memory limit",
     {HasAll(3, MAP_HUGETLB)}},
    {"shmget",
     Errno(EPERM),
     "outside the memory limit",
     {HasAll(2, SHM_HUGETLB)}},
    {"memfd_create",
     Errno(EPERM),
     "outside the memory limit",
     {HasAll(1, MFD_HUGETLB)}},

    {"socket",
     kAllow,
     "within the tree or the network namespace",
     {IntIs(0, AF_UNIX), SocketTypeIs(SOCK_STREAM), IntIs(2, 0)}},
    {"socket",
     kAllow,
     "the same",
     {IntIs(0, AF_UNIX), SocketTypeIs(SOCK_DGRAM), IntIs(2, 0)}},
    {"socket",
     kAllow,
     "the same",
     {IntIs(0, AF_UNIX), SocketTypeIs(SOCK_SEQPACKET), IntIs(2, 0)}},
    {"socket", Errno(EPERM), "other types and protocols", {IntIs(0, AF_UNIX)}},

    {"socketpair",
     kAllow,
     "connected to itself only",
     {IntIs(0, AF_UNIX), SocketTypeIs(SOCK_STREAM), IntIs(2, 0)}},
    {"socketpair",
     kAllow,
     "the same",
     {IntIs(0, AF_UNIX), SocketTypeIs(SOCK_DGRAM), IntIs(2, 0)}},
    {"socketpair",
     kAllow,
     "the same",
     {IntIs(0, AF_UNIX), SocketTypeIs(SOCK_SEQPACKET), IntIs(2, 0)}},
    {"socketpair", Errno(EPERM), "other types", {IntIs(0, AF_UNIX)}},
};

// What most of these would hold is charged to nobody.
constexpr ArgumentRule kInternetSocketRules[] = {
    {"sendto",
     Errno(EOPNOTSUPP),
     "a datagram that waits for the rest of it",
     {HasAll(3, MSG_MORE)}},
    {"sendmsg", Errno(EOPNOTSUPP), "the same", {HasAll(2, MSG_MORE)}},
    {"sendmmsg", Errno(EOPNOTSUPP), "the same", {HasAll(3, MSG_MORE)}},
    {"setsockopt",
     Errno(ENOPROTOOPT),
     "the same",
     {IntIs(1, SOL_UDP), IntIs(2, UDP_CORK)}},
    {"setsockopt",
     Errno(ENOPROTOOPT),
     "IPsec and L2TP within UDP",
     {IntIs(1, SOL_UDP), IntIs(2, UDP_ENCAP)}},
    {"setsockopt",
     Errno(ENOPROTOOPT),
     "patches the kernel's code, and interrupts every CPU of the host for that",
     {IntIs(1, SOL_UDP), IntIs(2, UDP_GRO)}},
    {"setsockopt",
     Errno(EOPNOTSUPP),
     "a notice of each message, until somebody reads it",
     {IntIs(1, SOL_SOCKET), IntIs(2, SO_ZEROCOPY)}},
    {"setsockopt",
     Errno(ENOPROTOOPT),
     "the same",
     {IntIs(1, SOL_SOCKET), IntIs(2, SO_TIMESTAMPING)}},
    {"setsockopt",
     Errno(ENOPROTOOPT),
     "the same",
     {IntIs(1, SOL_SOCKET), IntIs(2, kTimestampingNew)}},
    // The C library's resolver asks for it, and does without.
    {"setsockopt",
     kPretend,
     "what was sent, kept for as long as nobody reads of its failure",
     {IntIs(1, IPPROTO_IP), IntIs(2, IP_RECVERR)}},
    {"setsockopt",
     kPretend,
     "the same",
     {IntIs(1, IPPROTO_IPV6), IntIs(2, IPV6_RECVERR)}},
    {"setsockopt",
     Errno(ENOPROTOOPT),
     "64 KiB of controls for each socket",
     {IntIs(1, IPPROTO_IPV6), IntIs(2, kPacketOptions)}},
    {"setsockopt",
     Errno(ENOPROTOOPT),
     "flow labels: the host has 4096",
     {IntIs(1, IPPROTO_IPV6), IntIs(2, kFlowLabelManager)}},
    {"setsockopt",
     Errno(ENODEV),
     "multicast groups: a list that the whole host waits for",
     {IntIs(1, IPPROTO_IP), IntIs(2, IP_ADD_MEMBERSHIP)}},
    {"setsockopt",
     Errno(ENODEV),
     "the same, and their sources",
     {IntIs(1, IPPROTO_IP), IntIsIn(2, IP_DROP_MEMBERSHIP, 4)}},
    {"setsockopt",
     Errno(ENODEV),
     "the same",
     {IntIs(1, IPPROTO_IP), IntIsIn(2, IP_DROP_SOURCE_MEMBERSHIP, 8)}},
    {"setsockopt",
     Errno(ENODEV),
     "the same",
     {IntIs(1, IPPROTO_IP), IntIs(2, MCAST_MSFILTER)}},
    {"setsockopt",
     Errno(ENODEV),
     "the same",
     {IntIs(1, IPPROTO_IPV6), IntIsIn(2, IPV6_JOIN_GROUP, 2)}},
    {"setsockopt",
     Errno(ENODEV),
     "the same",
     {IntIs(1, IPPROTO_IPV6), IntIsIn(2, IP_DROP_SOURCE_MEMBERSHIP, 8)}},
    {"setsockopt",
     Errno(ENODEV),
     "the same",
     {IntIs(1, IPPROTO_IPV6), IntIs(2, MCAST_MSFILTER)}},

    {"socket",
     kAllow,
     "TCP",
     {IntIs(0, AF_INET), SocketTypeIs(SOCK_STREAM), IntIs(2, 0)}},
    {"socket",
     kAllow,
     "TCP",
     {IntIs(0, AF_INET), SocketTypeIs(SOCK_STREAM), IntIs(2, IPPROTO_TCP)}},
    {"socket",
     kAllow,
     "UDP",
     {IntIs(0, AF_INET), SocketTypeIs(SOCK_DGRAM), IntIs(2, 0)}},
    {"socket",
     kAllow,
     "UDP",
     {IntIs(0, AF_INET), SocketTypeIs(SOCK_DGRAM), IntIs(2, IPPROTO_UDP)}},
    {"socket", Errno(EPERM), "raw, MPTCP, UDP-Lite", {IntIs(0, AF_INET)}},
    {"socket",
     kAllow,
     "TCP",
     {IntIs(0, AF_INET6), SocketTypeIs(SOCK_STREAM), IntIs(2, 0)}},
    {"socket",
     kAllow,
     "TCP",
     {IntIs(0, AF_INET6), SocketTypeIs(SOCK_STREAM), IntIs(2, IPPROTO_TCP)}},
    {"socket",
     kAllow,
     "UDP",
     {IntIs(0, AF_INET6), SocketTypeIs(SOCK_DGRAM), IntIs(2, 0)}},
    {"socket",
     kAllow,
     "UDP",
     {IntIs(0, AF_INET6), SocketTypeIs(SOCK_DGRAM), IntIs(2, IPPROTO_UDP)}},
    {"socket", Errno(EPERM), "raw, MPTCP, UDP-Lite", {IntIs(0, AF_INET6)}},
};

}  // namespace

absl::Span<const ArgumentRule> ProgramArgumentRules() { return kArgumentRules; }
absl::Span<const ArgumentRule> InternetSocketRules() {
  return kInternetSocketRules;
}

}  // namespace paddock
