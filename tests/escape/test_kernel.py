"""Kernel: attacks 25 to 33 of README.md."""

from errno import (EBADF, EFAULT, EINVAL, ENODEV, ENOENT, ENOEXEC, ENOKEY,
                   ENOPROTOOPT, ENOSYS, ENOTTY, EOPNOTSUPP, EPERM, ESRCH)
import os
import pty
import re
import struct
import subprocess

import pytest

from attack import attacks
from attack import calls
from attack import host_output
from attack import on_host
from host_helper import helper
from host_kernel import answer
from host_kernel import answer_to_huge_page
from host_kernel import answer_to_typing
from harness import paths
from paddock.v1 import process_pb2

# 25. Namespaces of its own.

FLAGS = {"time": 0x80, "mount": 0x20000, "cgroup": 0x2000000,
         "names": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
         "pid": 0x20000000, "net": 0x40000000}
SIGCHLD, HIGH = 17, 1 << 32


@attacks(
    *(calls(f"unshare_{name}", f"unshare {flag}")
      for name, flag in FLAGS.items()),
    *(calls(f"clone_{name}", f"clone {flag | SIGCHLD} 0 0 0 0")
      for name, flag in FLAGS.items()),
    *(calls(f"clone3_{name}", f"clone3 w:{flag},0,0,0,{SIGCHLD},0,0,0 64",
            inside=ENOSYS) for name, flag in FLAGS.items()),
    calls("unshare_user_and_mount", "unshare 0x10020000"),
    calls("unshare_files", "unshare 0x400"),
    calls("unshare_nothing", "unshare 0"),
    calls("clone_user_and_net", f"clone {0x50000000 | SIGCHLD} 0 0 0 0"),
    calls("clone_high_bits", f"clone {HIGH | 0x10000000 | SIGCHLD} 0 0 0 0"),
    calls("clone3_plain", f"clone3 w:0,0,0,0,{SIGCHLD},0,0,0 64",
          inside=ENOSYS),
    calls("clone_plain", f"clone {SIGCHLD} 0 0 0 0", inside=0),
)
def test_no_new_namespace(sandbox, attack):
    attack.check(sandbox)


# 26. Parts of the kernel with a history.

@attacks(
    calls("io_uring_setup", "io_uring_setup 4 z:", inside=ENOSYS,
          host=answer("io_uring_setup")),
    calls("io_uring_enter", "io_uring_enter -1 1 0 0 0 0", inside=ENOSYS,
          host=answer("io_uring_enter", EBADF)),
    calls("io_uring_register", "io_uring_register -2 4 0 0", inside=ENOSYS,
          host=answer("io_uring_register", EBADF)),
    calls("bpf_map", "bpf 0 i:2,4,4,1,0 72", host=answer("bpf")),
    # The last two with a flag that no kernel knows.
    calls("bpf_program", "bpf 5 i:1,2,0,0,0,0,0,0,0,0,0,0x80000000 72",
          host=answer("bpf", EINVAL)),
    calls("bpf_object", "bpf 7 i:0,0,0,0x80000000 72",
          host=answer("bpf", EINVAL)),
    calls("perf_software", "perf_event_open i:1,112,0,0 0 -1 -1 0"),
    calls("perf_all", "perf_event_open i:1,112,0,0 -1 0 -1 0"),
    calls("userfaultfd", "userfaultfd 0", host=answer("userfaultfd")),
    calls("userfaultfd_user_only", "userfaultfd 1", host=answer("userfaultfd")),
    calls("memfd_secret", "memfd_secret 0", host=answer("memfd_secret")),
    calls("inotify", "inotify_init1 0"),
    calls("fanotify", "fanotify_init 0 0", host=answer("fanotify_init")),
    calls("directory_notify", "openat -100 s:/usr 0", "fcntl $0 1026 1"),
    calls("directory_notify_high", "openat -100 s:/usr 0",
          f"fcntl $0 {HIGH | 1026} 1"),
    calls("aio", "io_setup 1 z:"),
    calls("vmsplice", "vmsplice -1 0 0 0", host=EBADF),
    calls("remap_file_pages", "remap_file_pages 0 0 0 0 0", host=EINVAL),
    calls("cachestat", "451 -1 z: z: 0", host=answer("cachestat", EBADF)),
    calls("lsm_list", "461 z: w:4096 0", host=answer("lsm_list_modules")),
    calls("lsm_attribute", "459 0 z: w:4096 0",
          host=answer("lsm_get_self_attr", EINVAL)),
    # Where the host keeps records, each denial could be one of them.
    calls("landlock", "landlock_create_ruleset 0 0 1", inside=EOPNOTSUPP,
          host=answer("landlock_create_ruleset")),
    # It tells what other jobs hold in memory, by the time of a write.
    calls("merge_pages", "mmap 0 4096 3 0x22 -1 0", "madvise $0 4096 12",
          host=answer("page_merging")),
    calls("mbind", "mbind 0 0 0 0 0 0", host=answer("mbind")),
    calls("mempolicy", "set_mempolicy 0 0 0",
          host=answer("set_mempolicy")),
    calls("quota", "quotactl 0x80000100 0 0 0", host=answer("quotactl")),
    # A key in the file system's own ring outlives the job.
    calls("file_system_key", "openat -100 s:/dev/shm 0",
          "ioctl $0 0xc0506617 z:", host=ENOTTY),
    # A cookie that keeps the other half of a core idle for everybody else.
    calls("core_scheduling", "prctl 62 1 0 0 0",
          host=answer("core_scheduling")),
    calls("core_scheduling_high", f"prctl {HIGH | 62} 1 0 0 0",
          host=answer("core_scheduling")),
    calls("number_of_tomorrow", "600", inside=ENOSYS, host=ENOSYS),
)
def test_no_such_part_of_the_kernel(sandbox, attack):
    attack.check(sandbox)


# 27. Keys.

@attacks(
    calls("add", "add_key s:user s:escape s:x 1 -2"),
    calls("add_to_user", "add_key s:user s:escape s:x 1 -1"),
    calls("request", "request_key s:user s:escape-none 0 0", host=ENOKEY),
    calls("session", "keyctl 1 0"),
    calls("persistent", "keyctl 22 -1 -2",
          host=answer("persistent_keys")),
    calls("process_ring", "keyctl 0 -2 1"),
    calls("describe", "keyctl 6 -4 z: 100"),
)
def test_no_key(sandbox, attack):
    attack.check(sandbox)


# 28. The numbers of other architectures.

@pytest.mark.parametrize("number, call, arguments, host", [
    (20, "getpid", (0, 0, 0), 0),
    (11, "execve", (0, 0, 0), EFAULT),
    # CLONE_SIGHAND does not come alone.
    (120, "clone", (0x800, 0, 0), EINVAL),
    (310, "unshare", (0, 0, 0), 0),
    (117, "ipc", (14, -1, 0), EINVAL),  # msgctl
    (54, "ioctl", (-1, 0, 0), EBADF),
    (26, "ptrace", (99, 0, 0), ESRCH)])
def test_no_call_by_the_32_bit_entry(sandbox, number, call, arguments, host):
    assert on_host("int80", number, *arguments)["errno"] == host
    assert sandbox.violation("int80", number, *arguments) == (
        call, number, "i386")


def test_no_end_by_the_32_bit_entry(sandbox):
    assert subprocess.call([paths.PROBE, "int80", "1", "7", "0", "0"]) == 7
    assert sandbox.violation("int80", 1, 7, 0, 0) == ("exit", 1, "i386")


def test_no_call_from_a_32_bit_segment(sandbox):
    assert sandbox.violation("segment32", 20) == ("getpid", 20, "i386")
    assert on_host("segment32", 20)["errno"] == 0


# An ELF header, a program header, and: mov $1, %eax; mov $42, %ebx; int $0x80.
ELF32 = struct.pack(
    "<4s5B7xHHIIIIIHHHHHH IIIIIIII", b"\x7fELF", 1, 1, 1, 0, 0, 2, 3, 1,
    0x400054, 52, 0, 0, 52, 32, 1, 0, 0, 0,
    1, 0, 0x400000, 0x400000, 96, 96, 5, 0x1000,
) + bytes.fromhex("b801000000bb2a000000cd80")


def test_no_32_bit_program(sandbox, tmp_path):
    program = tmp_path / "program"
    program.write_bytes(ELF32)
    program.chmod(0o755)
    assert os.spawnv(os.P_WAIT, program, ["program"]) == 42
    result = sandbox.run("./program", inputs={"program": ELF32})
    assert result.violation.architecture == "i386", result
    assert result.violation.system_call == "exit"
    assert result.violation.system_call_number == 1


@pytest.mark.parametrize("number", [39, 41, 101, 272, 512, 520, 521, 545])
def test_no_x32(sandbox, number):
    """Most kernels have no such call anyway; one that has: tests/vm, kernels."""
    assert sandbox.report("calls", f"{1 << 30 | number} 0 0 0")["errno"] == (
        ENOSYS)
    assert sandbox.report("calls", "39") == {"done": 1, "errno": 0}


# 29. Typing into a terminal.

TIOCSTI, TIOCLINUX, TIOCSETD, N_TTY = 0x5412, 0x541c, 0x5423, 0


@pytest.mark.parametrize("high", [0, 1 << 32, 1 << 63, 0xffffffff << 32])
@pytest.mark.parametrize("name, request_number, argument", [
    ("TIOCSTI", TIOCSTI, "s:x"), ("TIOCSETD", TIOCSETD, f"i:{N_TTY}")])
def test_no_terminal_is_typed_into(
        sandbox, high, name, request_number, argument):
    line = f"ioctl 0 {high | request_number} {argument}"
    master, slave = pty.openpty()

    control = on_host("calls", line, terminal=slave)
    os.close(master)
    os.close(slave)
    assert control["errno"] == (
        answer_to_typing() if name == "TIOCSTI" else 0)
    assert sandbox.report("calls", line)["errno"] == EPERM
    # Without the rule it would be the device that refuses.
    assert sandbox.report("calls", "ioctl 0 0x5401 z:")["errno"] == ENOTTY


@attacks(
    calls("console", f"ioctl 0 {TIOCLINUX} i:2", host=ENOTTY),
    calls("console_high", f"ioctl 0 {HIGH | TIOCLINUX} i:2", host=ENOTTY),
)
def test_no_console_is_pasted_into(sandbox, attack):
    attack.check(sandbox)


# 30. What programs are executed like.

@attacks(
    *(calls(name, f"personality {value}") for name, value in (
        ("no_randomize", 0x40000), ("read_implies_exec", 0x400000),
        ("linux32", 8), ("mmap_page_zero", 0x100000), ("short_inode",
                                                       0x1000000),
        ("no_randomize_high", HIGH | 0x40000), ("zero_high", HIGH),
        ("ask_high", HIGH | 0xffffffff))),
    calls("ask", "personality 0xffffffff", inside=0),
    calls("default", "personality 0", inside=0),
    calls("read_segments", "modify_ldt 0 z: 8"),
    calls("write_segment", "modify_ldt 1 i:0,0,0,1 16"),
    calls("write_old_segment", "modify_ldt 17 i:0,0,0,1 16"),
)
def test_no_odd_execution(sandbox, attack):
    attack.check(sandbox)


# 31. What belongs to the machine.

@attacks(
    calls("settimeofday", "settimeofday 0 0"),
    calls("clock_settime", "clock_settime 0 0", host=EFAULT),
    calls("adjtimex", "adjtimex z:"),
    calls("clock_adjtime", "clock_adjtime 0 z:"),
    calls("sethostname", "sethostname s:x 1", new="u"),
    calls("setdomainname", "setdomainname s:x 1", new="u"),
    calls("accounting", "acct s:/nonexistent",
          host=answer("acct", ENOENT)),
    calls("vhangup", "vhangup"),
    calls("ustat", "ustat 0 z:", host=EINVAL),
    calls("sysfs", "sysfs 3", host=answer("sysfs")),
)
def test_nothing_of_the_machine_is_changed(sandbox, attack):
    attack.check(sandbox)


@pytest.mark.parametrize("number, line, host", [
    (169, "reboot 0xfee1dead 672274793 0x1234 0", EINVAL),
    (167, "swapon s:/nonexistent 0", answer("swapon", ENOENT)),
    (168, "swapoff s:/nonexistent", answer("swapoff", ENOENT)),
    (246, "kexec_load 0 9999 0 0", answer("kexec_load", EINVAL)),
    (320, "kexec_file_load -1 -1 0 0 0xffff",
     answer("kexec_file_load", EINVAL)),
    (175, "init_module z: 0 s:", answer("init_module", ENOEXEC)),
    (313, "finit_module -1 s: 0", answer("finit_module", EBADF)),
    (176, "delete_module s:escape_none 0x800",
     answer("delete_module", ENOENT)),
    (172, "iopl 0", answer("io_ports")),
    (173, "ioperm 0 1 0", answer("io_ports"))])
def test_who_reaches_for_the_machine_is_ended(sandbox, number, line, host):
    assert on_host("calls", line)["errno"] == host
    assert sandbox.violation("calls", line) == (
        line.split()[0], number, "x86_64")


BRIDGE, BRIDGES, VLAN = 0x8940, 0x89a0, 0x8982
UNIX = "socket 1 1 0"


@pytest.mark.parametrize("request_number", [
    BRIDGE, BRIDGE + 1, BRIDGES, BRIDGES + 1, BRIDGES + 2, VLAN, VLAN + 1,
    HIGH | VLAN])
def test_no_driver_is_loaded_by_a_socket(sandbox, request_number):
    line = f"ioctl $0 {request_number} z:"
    assert sandbox.report("calls", UNIX, line)["errno"] == EPERM
    # What only asks is no such thing: there is no such device.
    assert sandbox.report("calls", UNIX, "ioctl $0 0x8942 z:") == {
        "done": 1, "errno": ENODEV}


def test_the_host_loads_no_driver_for_a_program(sandbox):
    """The kernel would, for anybody, where the filter did not refuse it."""
    lines = [f"ioctl $0 {number} z:" for number in (BRIDGE, BRIDGES, VLAN)]
    with helper("kernel.modprobe", "{}") as modules:
        for line in lines:
            assert sandbox.report("calls", UNIX, line)["errno"] == EPERM
        assert not modules()
        for line in lines:
            on_host("calls", UNIX, line, user=65534, group=65534,
                    extra_groups=[])
        assert modules() == ["bridge", "bridge", "8021q"]


@attacks(
    calls("ulp", "socket 2 1 0", "setsockopt $0 6 31 s:escape-none 11",
          host=ENOENT),
    calls("signed", "socket 2 1 0", "setsockopt $0 6 14 z: 8", host=EINVAL),
)
def test_no_layer_is_put_over_tcp(sandbox, attack):
    attack.check(sandbox, network=process_pb2.NETWORK_LOOPBACK)


@attacks(
    calls("receive_offload", "socket 2 2 0", "setsockopt $0 17 104 i:1 4",
          inside=ENOPROTOOPT),
)
def test_no_code_of_the_kernel_is_patched(sandbox, attack):
    """Each first and last socket of the host that asks for it interrupts all
    CPUs, some 6 times."""
    attack.check(sandbox, network=process_pb2.NETWORK_LOOPBACK)


def test_the_host_name_is_hidden(sandbox):
    name = sandbox.run("/bin/uname", "-n").stdout.data.decode().strip()
    assert name and name != os.uname().nodename


def test_a_flush_touches_no_disk(sandbox):
    """`sync` would make every job of the host wait: it returns at once."""
    assert sandbox.report("calls", "sync", "openat -100 s:/usr 0",
                          "syncfs $1") == {"done": 3, "errno": 0}
    # Control: that it is not the kernel which answers shows in a descriptor
    # that is none.
    # The last drops what others would find in the page cache: POSIX_FADV_DONTNEED.
    for call in ("syncfs -1", "fsync -1", "fdatasync -1", "fadvise64 -1 0 0 4"):
        assert on_host("calls", call)["errno"] == EBADF
        assert sandbox.report("calls", call) == {"done": 1, "errno": 0}


# 32. The kernel's log and addresses.

@attacks(
    calls("size", "syslog 10 0 0"),
    calls("read", "syslog 3 z: 1000"),
    calls("clear", "syslog 5 0 0"),
)
def test_no_kernel_log(sandbox, attack):
    # "clear" only marks what was shown already; root may do it anywhere.
    attack.check(sandbox)


def test_no_kernel_address_is_told(sandbox):
    """The kernel puts others in their place wherever it can; in what it leaves
    to the reader's rights, root of the host finds some by the same look."""
    address = re.compile(rb"\bffff[0-9a-f]{12}\b")
    own = ("cat /proc/self/stat /proc/self/syscall /proc/self/wchan "
           "/proc/self/net/unix /proc/self/net/packet /proc/self/net/netlink "
           "/proc/self/mountstats /proc/self/sched /proc/self/statm; "
           "grep -v vsyscall /proc/self/maps; tail -n 50 /proc/kallsyms")
    control = host_output("/bin/sh", "-c", own)
    assert address.search(control)
    seen = sandbox.shell(own).stdout.data
    assert len(seen) > 500
    assert not address.search(seen)


# 33. Huge pages, which no memory limit counts.

ANONYMOUS = 0x4022  # private, anonymous, without reserving
MAP_HUGETLB, MFD_HUGETLB, SHM_HUGETLB = 0x40000, 4, 0x800
SIZES = {"default": 0, "2m": 21, "1g": 30, "64k": 16}


def on_the_host(name, error):
    return 0 if name == "default" else answer_to_huge_page(SIZES[name], error)


@attacks(
    *(calls(f"map_{name}", f"mmap 0 {1 << max(size, 21)} 3 "
            f"{ANONYMOUS | MAP_HUGETLB | size << 26} -1 0",
            host=on_the_host(name, EINVAL))
      for name, size in SIZES.items()),
    calls("map_shared", f"mmap 0 0x200000 3 {0x4021 | MAP_HUGETLB} -1 0"),
    calls("map_high_bits", f"mmap 0 0x200000 3 "
          f"{HIGH | ANONYMOUS | MAP_HUGETLB} -1 0"),
    *(calls(f"memfd_{name}", f"memfd_create s:x {MFD_HUGETLB | size << 26}",
            host=on_the_host(name, ENODEV))
      for name, size in SIZES.items()),
    calls("memfd_high_bits", f"memfd_create s:x {HIGH | MFD_HUGETLB}"),
    *(calls(f"shm_{name}", f"shmget 0 {1 << max(size, 21)} "
            f"{SHM_HUGETLB | 0x1000 | 0o600 | size << 26}", new="i",
            host=on_the_host(name, EINVAL))
      for name, size in SIZES.items()),
    calls("plain_memory", f"mmap 0 0x200000 3 {ANONYMOUS} -1 0",
          "memfd_create s:x 0", "shmget 0 4096 0600", inside=0, new="i"),
)
def test_no_huge_page(sandbox, attack):
    attack.check(sandbox)
