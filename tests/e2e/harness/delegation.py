"""Cgroups that belong to an ordinary user: cgroups(7), "Delegation"."""

import contextlib
import itertools
import os
import sys

from harness import as_user
from harness import own_cgroup

_V1_CONTROLLERS = ("memory", "pids", "cpuacct", "cpu", "blkio")
_DELEGATED_FILES = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control",
                    "tasks")
_numbers = itertools.count()


def _own_v1_directories():
    """The directories of this process's cgroups, of v1 and the unified tree."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        halves = [line.strip().split(" - ") for line in file]
    mounts = [(left.split()[4], right.split()[0], right.split()[2].split(","))
              for left, right in halves]
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.strip().split(":", 2)
            for point, kind, options in mounts:
                mine = (kind == "cgroup2" if not controllers else
                        kind == "cgroup" and
                        controllers.split(",")[0] in options and
                        controllers.split(",")[0] in _V1_CONTROLLERS)
                if mine:
                    yield point + path.rstrip("/")
                    break


class Delegation:
    """Where a paddockd of the user `as_user.UID` may make its cgroups."""

    def __init__(self, mode):
        """`mode`: as as_user.py takes it."""
        self._mode = mode
        if own_cgroup.unified_only():
            self.directories = [own_cgroup.make()]
        else:
            name = f"paddock-e2e-user-{os.getpid()}-{next(_numbers)}"
            self.directories = []
            for parent in _own_v1_directories():
                os.mkdir(f"{parent}/{name}")
                self.directories.append(f"{parent}/{name}")
        for directory in self.directories:
            os.chown(directory, as_user.UID, as_user.UID)
            for file in _DELEGATED_FILES:
                with contextlib.suppress(FileNotFoundError):
                    os.chown(f"{directory}/{file}", as_user.UID, as_user.UID)

    @property
    def wrapper(self):
        """For harness.server.Server."""
        return [sys.executable, as_user.__file__, self._mode,
                *self.directories, "--"]

    def remove(self):
        for directory in self.directories:
            own_cgroup.remove(directory)
