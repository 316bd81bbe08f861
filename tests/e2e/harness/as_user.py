"""Runs a command as an ordinary user who has cgroups of his own.

    python3 as_user.py MODE CGROUP_DIRECTORY... -- COMMAND...

As root. MODE `range`: the user has subordinate ids, as useradd(8) gives them;
`single`: he has none. Both are told in a mount namespace of this process alone:
the host's own /etc stays as it is.
"""

import ctypes
import os
import sys
import tempfile

UID = 54321
NAME = "paddock-tests"
_FIRST_SUBORDINATE = 0x20000000
_CLONE_NEWNS = 0x20000
_MS_REC, _MS_PRIVATE, _MS_BIND = 0x4000, 0x40000, 0x1000
_LIBC = ctypes.CDLL(None, use_errno=True)


def _mount(source, target, flags):
    if _LIBC.mount(source, target, None, flags, None) != 0:
        raise OSError(ctypes.get_errno(), "mount", target)


def _append(path, line):
    """Shows `path` with one line more."""
    text = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            text = file.read()
    with tempfile.NamedTemporaryFile("w", delete=False) as copy:
        copy.write(text + line + "\n")
    os.chmod(copy.name, 0o644)
    _mount(copy.name.encode(), path.encode(), _MS_BIND)
    os.unlink(copy.name)


def _become_user(mode):
    if _LIBC.unshare(_CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    _mount(None, b"/", _MS_REC | _MS_PRIVATE)
    _append("/etc/passwd", f"{NAME}:x:{UID}:{UID}::/:/bin/sh")
    if mode == "range":
        for path in ("/etc/subuid", "/etc/subgid"):
            _append(path, f"{NAME}:{_FIRST_SUBORDINATE}:65536")
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)


def main():
    mode, *rest = sys.argv[1:]
    end = rest.index("--")
    for directory in rest[:end]:
        with open(f"{directory}/cgroup.procs", "w", encoding="ascii") as file:
            file.write("0")
    _become_user(mode)
    os.execvp(rest[end + 1], rest[end + 1:])


if __name__ == "__main__":
    main()
