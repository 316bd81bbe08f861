"""Finds what a service left on the host: processes, cgroups, mounts."""

import os
import re

_CGROUP_ROOT = "/sys/fs/cgroup"
# Mounts of the service are named for it; those of the sandboxes live in the
# mount namespaces of workers and are never seen here.
_MOUNT_MARK = re.compile(r"paddock", re.IGNORECASE)
# A service's own group, which carries the pid of its supervisor.
_INSTANCE = re.compile(r"/paddock-(\d+)-")
# A group delegated to an ordinary user (delegation.py), by the pid of the tests.
_DELEGATED = re.compile(r"/paddock-e2e-user-(\d+)-")
_PARENT = re.compile(r"--parent-pid=(\d+)")

# Supervisors that tests started. Another paddockd may run on the same machine;
# what is below its group is its own matter.
started_pids = set()


def _read(path):
    try:
        with open(path, encoding="latin-1") as file:
            return file.read()
    except OSError:
        return ""  # it ended meanwhile


def _belongs_to(pid, line):
    """Whether a supervisor that tests started is behind process `pid`.

    Server, workers and inits have its pid in their arguments; a program, which
    has nothing of ours, is in its cgroups.
    """
    if pid in started_pids:
        return True
    parent = _PARENT.search(line)
    if parent is not None:
        return int(parent[1]) in started_pids
    return any(int(found) in started_pids for found in
               _INSTANCE.findall(_read(f"/proc/{pid}/cgroup")))


def processes():
    """{pid: command line} of all that the tests' services run, down to the
    programs in their sandboxes."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        line = _read(f"/proc/{name}/cmdline").replace("\0", " ").strip()
        if _belongs_to(int(name), line) and is_alive(int(name)):
            found[int(name)] = line
    return found


def _stat_fields(pid):
    """State, parent and the rest of proc(5)'s stat, or nothing."""
    return _read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def descendants(pid):
    """Pids of all processes below `pid`."""
    parents = {}
    for name in os.listdir("/proc"):
        fields = _stat_fields(name) if name.isdigit() else ()
        if fields:
            parents[int(name)] = int(fields[1])
    found = set()
    more = {pid}
    while more:
        more = {child for child, parent in parents.items()
                if parent in more and child not in found}
        found |= more
    return found


def worker_pids(server):
    """Pids of the workers: children of the supervisor, with their name."""
    lines = processes()
    found = []
    for pid in descendants(server.pid):
        if "paddock-worker" in lines.get(pid, "").partition(" (")[0]:
            fields = _stat_fields(pid)
            if fields and int(fields[1]) == server.pid and is_alive(pid):
                found.append(pid)
    return found


def server_pid(server):
    """Of the server process: it has no privilege, and speaks to clients."""
    lines = processes()
    pid, = (pid for pid in descendants(server.pid)
            if "--role=server" in lines.get(pid, ""))
    return pid


def state(pid):
    """As proc(5)'s stat has it: "S" where it waits. Empty if it is gone."""
    return next(iter(_stat_fields(pid)), "")


def is_alive(pid):
    """False for a zombie too."""
    return state(pid) not in ("", "Z", "X")


def _is_foreign(cgroup):
    delegated = _DELEGATED.search(cgroup)
    if delegated is not None and int(delegated[1]) != os.getpid():
        return True
    instance = _INSTANCE.search(cgroup)
    return instance is not None and int(instance[1]) not in started_pids


def cgroups():
    """Every cgroup directory of the host, in every hierarchy, but those of
    services and users that none of these tests made."""
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
