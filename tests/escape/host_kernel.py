"""What the host's kernel was built with: a control must succeed where it can."""

import functools
import os
from errno import EINVAL, ENODEV, ENOSYS, EPERM

# Part of the kernel -> what is there only with it: a file, or a function. Those
# named are called by address or from other files, so no compiler does away with
# them. (System calls themselves are no sign: each has at least a stub.)
_SIGNS = {
    "accounting": "/proc/sys/kernel/acct",
    "core_scheduling": "sched_core_share_pid",
    "fanotify": "fanotify_release",
    "io_ports": "io_bitmap_share",
    "io_uring": "io_uring_release",
    "memfd_secret": "secretmem_release",
    "modules": "/proc/modules",
    "numa": "__mpol_put",
    "quota": "quota_sync_one",
    "swap": "/proc/swaps",
    "userfaultfd": "userfaultfd_release",
}
# Part -> file, its content where the part is off for root too, and the answer.
_SWITCHES = {
    "core_scheduling": ("/sys/devices/system/cpu/smt/active", "0", ENODEV),
    "io_uring": ("/proc/sys/kernel/io_uring_disabled", "2", EPERM),
    "memfd_secret": ("/sys/module/secretmem/parameters/enable", "N", ENOSYS),
    "modules": ("/proc/sys/kernel/modules_disabled", "1", EPERM),
}
_WITHOUT = {"core_scheduling": EINVAL}  # one of prctl(2)'s many options


@functools.lru_cache
def _functions():
    with open("/proc/kallsyms", encoding="ascii") as file:
        return {line.split()[2] for line in file}


def _has(part):
    sign = _SIGNS[part]
    return os.path.exists(sign) if "/" in sign else sign in _functions()


def answer(part, error=0):
    """The errno with which a call of `part` ends on the host, for root: `error`
    if the kernel has the part, and it is not switched off."""
    if not _has(part):
        return _WITHOUT.get(part, ENOSYS)
    path, off, refusal = _SWITCHES.get(part, ("", "", error))
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            if file.read().strip() == off:
                return refusal
    return error
