"""A cgroup for a paddockd alone, on hosts that have only cgroup v2.

There no cgroup may have both processes and children with controllers,
cgroups(7), and the tests stand in theirs. On v1 and hybrid hosts a paddockd
makes what it needs below the group it is started in.
"""

import contextlib
import itertools
import os

_ROOT = "/sys/fs/cgroup"
_CONTROLLERS = ("memory", "pids", "cpu", "cpuset", "io")
_numbers = itertools.count()


def unified_only():
    return os.path.exists(f"{_ROOT}/cgroup.controllers")


def enable_controllers(parent, wanted=_CONTROLLERS):
    """Gives those of `wanted` that `parent` has on to its children; returns all
    that it has."""
    with open(f"{parent}/cgroup.controllers", encoding="ascii") as file:
        present = file.read().split()
    for controller in wanted:
        if controller in present:
            with open(f"{parent}/cgroup.subtree_control", "w",
                      encoding="ascii") as file:
                file.write(f"+{controller}")
    return present


def make():
    """A new directory, or None where none is needed."""
    if not unified_only():
        return None
    with open("/proc/self/cgroup", encoding="ascii") as file:
        own = _ROOT + file.read().strip().removeprefix("0::").rstrip("/")
    # Below our own where that may be (the host's root), else beside it: where a
    # user stands in a leaf of what is delegated, only the latter has controllers.
    for parent in (own, os.path.dirname(own)):
        try:
            if "memory" not in enable_controllers(parent):
                continue
        except OSError:
            continue
        directory = f"{parent}/paddock-e2e-{os.getpid()}-{next(_numbers)}"
        os.mkdir(directory)
        return directory
    raise RuntimeError(f"no cgroup can be made below or beside {own}")


@contextlib.contextmanager
def shared_parent():
    """The configuration of services that come one after another, so that each
    finds what the one before it left. On v1 and hybrid hosts they do anyway."""
    directory = make()
    if directory is None:
        yield {}
        return
    yield {"cgroup": {"parent": name_of(directory)}}
    remove_all(directory)


def name_of(directory):
    """As /proc/PID/cgroup has it."""
    return directory.removeprefix(_ROOT)


def remove_all(directory):
    """What is left when all processes in `directory` and below have ended."""
    for folder, _, _ in os.walk(directory, topdown=False):
        os.rmdir(folder)


def entering(directory):
    """A wrapper that runs a command in `directory`, or where it is started if
    that is None."""
    if directory is None:
        return []
    return ["/bin/sh", "-ec", 'echo 0 >"$1/cgroup.procs"; shift; exec "$@"', "sh",
            directory]


def remove(directory):
    """Removes `directory` if a stopped paddockd left it empty."""
    if directory is not None:
        with contextlib.suppress(OSError):
            os.rmdir(directory)
