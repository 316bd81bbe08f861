"""What the host's kernel has: a control must succeed where it can."""

import fcntl
import functools
import os
import re
import resource
import sys
import tempfile
from errno import EACCES, EINVAL, EIO, ENODEV, ENOENT, ENOSYS, EPERM

# Parts of the kernel that are no system call of their own: a function that is
# there only with them. Those named are called by address or from other files,
# so no compiler does away with them.
_SIGNS = {
    "core_scheduling": "sched_core_share_pid",
    "io_ports": "io_bitmap_share",
    "page_merging": "ksm_madvise",
    "persistent_keys": "keyctl_get_persistent",
}
# Part or call -> file, its content where it is off for root too, the answer.
_SWITCHES = {
    "core_scheduling": ("/sys/devices/system/cpu/smt/active", "0", ENODEV),
    "io_uring_setup": ("/proc/sys/kernel/io_uring_disabled", "2", EPERM),
    "memfd_secret": ("/sys/module/secretmem/parameters/enable", "N", ENOSYS),
    **{call: ("/proc/sys/kernel/modules_disabled", "1", EPERM)
       for call in ("init_module", "finit_module", "delete_module")},
}
# One of the many options of a call.
_WITHOUT = {"core_scheduling": EINVAL, "page_merging": EINVAL}
_CALL = re.compile(r"__(?:x64|arm64)_sys_(\w+)")
_FS_IOC_GETFLAGS = 0x80086601
_FS_NODUMP_FL = 0x40
_CAPABILITIES = {"sys_resource": 24}


def version():
    return tuple(int(part) for part in os.uname().release.split(".")[:2])


@functools.lru_cache
def _symbols():
    with open("/proc/kallsyms", encoding="ascii") as file:
        return {name: kind for _, kind, name in
                (line.split()[:3] for line in file)}


@functools.lru_cache
def _calls():
    """A call that was not built is a weak function: kernel/sys_ni.c."""
    found = {match[1] for name, kind in _symbols().items()
             if kind == "T" and (match := _CALL.fullmatch(name))}
    assert "read" in found, "/proc/kallsyms does not tell"
    return found


def _content(path):
    if not os.path.exists(path):
        return None
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def answer(part, error=0):
    """The errno with which a call ends on the host, for root: `error` if the
    kernel has it, and it is not switched off. `part` is the call's name, or that
    of a part of the kernel."""
    has = _SIGNS[part] in _symbols() if part in _SIGNS else part in _calls()
    if not has:
        return _WITHOUT.get(part, ENOSYS)
    path, off, refusal = _SWITCHES.get(part, ("", "", error))
    return refusal if _content(path) == off else error


def capable(capability):
    """Root of a container may lack some."""
    with open("/proc/self/status", encoding="ascii") as file:
        effective = int(re.search(r"CapEff:\s*(\w+)", file.read())[1], 16)
    return effective >> _CAPABILITIES[capability] & 1 == 1


def answer_to_raise(limit):
    """Of setrlimit(2) with no limit at all."""
    hard = resource.getrlimit(limit)[1]
    if hard == resource.RLIM_INFINITY:
        return 0
    # More than fs.nr_open is for nobody.
    possible = capable("sys_resource") and limit != resource.RLIMIT_NOFILE
    return 0 if possible else EPERM


def answer_to_open(path):
    """Of a file of the kernel, which depends on how that was built."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno
    return 0


def answer_to_socket(protocol, error):
    """To root, of a socket of /proc/net/protocols' `protocol`, which a first
    socket of it may have loaded; `error` where the kernel does not have it."""
    with open("/proc/net/protocols", encoding="ascii") as file:
        return 0 if protocol in (line.split()[0] for line in file) else error


def answer_to_ping_socket():
    """icmp(7): by the group, of which root needs to be one too."""
    first, last = _content("/proc/sys/net/ipv4/ping_group_range").split()
    groups = {os.getegid(), *os.getgroups()}
    inside = any(int(first) <= group <= int(last) for group in groups)
    return 0 if inside else EACCES


@functools.cache
def _flags():
    """Those of a new file in /var/tmp, or the error: not every file system has
    flags."""
    with tempfile.NamedTemporaryFile(dir="/var/tmp") as file:
        flags = bytearray(8)
        try:
            fcntl.ioctl(file, _FS_IOC_GETFLAGS, flags)
        except OSError as error:
            return None, error.errno
    return int.from_bytes(flags[:4], sys.byteorder), 0


def flags_to_set():
    """For FS_IOC_SETFLAGS: of the file there is, and one that all file systems
    with flags let a file have. Which others it must keep differs."""
    return (_flags()[0] or 0) | _FS_NODUMP_FL


def answer_to_flags():
    """Of FS_IOC_SETFLAGS with these, in /var/tmp."""
    return _flags()[1]


def answer_to_access(path):
    return 0 if os.path.exists(path) else ENOENT


def answer_to_huge_page(size_bits, error):
    """`error` where the CPU has no pages of this size."""
    size = f"/sys/kernel/mm/hugepages/hugepages-{(1 << size_bits) >> 10}kB"
    return 0 if os.path.exists(size) else error


def answer_to_typing():
    """Of TIOCSTI for root; the switch spared root since Linux 6.7."""
    off = _content("/proc/sys/dev/tty/legacy_tiocsti") == "0"
    return EIO if off and version() < (6, 7) else 0
