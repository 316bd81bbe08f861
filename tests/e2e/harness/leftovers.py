"""Finds what a service left on the host: processes, cgroups, mounts."""

import os
import re

from harness import paths

_CGROUP_ROOT = "/sys/fs/cgroup"
# Mounts of the service are named for it; those of the sandboxes live in the
# mount namespaces of workers and are never seen here.
_MOUNT_MARK = re.compile(r"paddock", re.IGNORECASE)
# A service's own group, which carries the pid of its supervisor.
_INSTANCE = re.compile(r"/paddock-(\d+)-")

# Supervisors that tests started. Another paddockd may run on the same machine;
# what is below its group is its own matter.
started_pids = set()


def processes():
    """{pid: command line} of every process of our binaries and their children.

    Inits and programs are children of workers, whatever they call themselves.
    """
    parents, lines, ours = {}, {}, set()
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        pid = int(name)
        try:
            with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
                after_name = file.read().rpartition(")")[2].split()
            with open(f"/proc/{pid}/cmdline", encoding="latin-1") as file:
                line = file.read().replace("\0", " ").strip()
            executable = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            executable, line, after_name = "", "", None
        if after_name is None:
            continue
        parents[pid] = int(after_name[1])
        lines[pid] = f"{executable}: {line} ({after_name[0]})"
        binary = executable.removesuffix(" (deleted)")
        if os.path.dirname(binary) == os.path.join(paths.BUILD, "bin"):
            if os.path.basename(binary) in ("paddockd", "paddock-worker"):
                ours.add(pid)
    for _ in parents:
        more = {pid for pid, parent in parents.items() if parent in ours}
        if more <= ours:
            break
        ours |= more
    return {pid: lines[pid] for pid in ours}


def descendants(pid):
    """Pids of all processes below `pid`."""
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="latin-1") as file:
                    parents[int(name)] = int(
                        file.read().rpartition(")")[2].split()[1])
            except OSError:
                pass
    found = set()
    more = {pid}
    while more:
        more = {child for child, parent in parents.items()
                if parent in more and child not in found}
        found |= more
    return found


def is_alive(pid):
    """False for a zombie too."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _is_foreign(cgroup):
    instance = _INSTANCE.search(cgroup)
    return instance is not None and int(instance[1]) not in started_pids


def cgroups():
    """Every cgroup directory of the host, in every hierarchy, but those of a
    service that no test started."""
    return {folder for folder, _, _ in os.walk(_CGROUP_ROOT)
            if not _is_foreign(folder)}


def mounts():
    """Mounts of our own mount namespace that name the service."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return {line.strip() for line in file if _MOUNT_MARK.search(line)}


def snapshot():
    return {"processes": set(processes()), "cgroups": cgroups(),
            "mounts": mounts()}


def since(before):
    """What is there now and was not `before`."""
    now = processes()
    found = {
        "processes": {pid: line for pid, line in now.items()
                      if pid not in before["processes"]},
        "cgroups": sorted(cgroups() - before["cgroups"]),
        "mounts": sorted(mounts() - before["mounts"]),
    }
    return {kind: items for kind, items in found.items() if items}


def assert_none_since(before):
    found = since(before)
    assert not found, found
