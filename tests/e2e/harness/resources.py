"""What a running service holds of the host, in figures.

A program may take what it likes: afterwards each figure has to be back where it
was. Those of the service itself are compared exactly; what the whole host has
is shared with whatever else runs there, so it is looked at over a whole file of
tests. test_exhaustion.py's programs together take far more of each than the
tolerance; in other files that holds only of what they are about.
"""

import collections
import contextlib
import os
import subprocess
import threading
import time

import pytest

from harness import leftovers
from harness.jobs import MIB

# An ended run's mounts and cgroups go within a second, of which test_teardown.py
# holds the median; this host may be busy.
SETTLE_SECONDS = 2
HOST_SETTLE_SECONDS = 60
# Charges that a group of its own keeps: 64 pages for each CPU.
GROUP_MEMORY_BYTES = 4 * MIB
# What an allocator keeps for the next time: of gRPC's threads it levels off at
# some 100 MiB after thousands of calls.
PROCESS_MEMORY_BYTES = {"server": 128 * MIB}
OTHER_MEMORY_BYTES = 32 * MIB
# gRPC's pool comes and goes, and what wakes it up with it. A run that leaves one
# shows after a hundred.
THREADS = {"server": 16}
DESCRIPTORS = {"server": 8}
# What is free differs by what any other process has mapped, by what the kernel
# keeps of files, and by the free pages it holds ready for each CPU (hundreds of
# MiB): for all three together a coarse net.
HOST_MEMORY_BYTES = 768 * MIB
# The kernel's own memory that /proc/meminfo names: proc(5). A build of this tree
# beside the tests moves it by up to 16 MiB. Pages in pipes have no name there,
# those in sockets stand elsewhere (tests/escape/test_socket_memory.py).
HELD = ("SUnreclaim", "KernelStack", "PageTables", "Shmem")
HELD_BYTES = 24 * MIB
# Open ones: test_descriptors_in_flight_are_closed has 20000, each fifth of which
# it holds to less.
HOST_FILES = 4000
HOST_PROCESSES = 300


def _lines(path):
    with open(path, encoding="latin-1") as file:
        return file.read().splitlines()


def _number(path):
    return int(_lines(path)[0])


def _resident_bytes(pid):
    for line in _lines(f"/proc/{pid}/status"):
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    return 0  # a zombie


def name(pid):
    """What the kernel calls the process; empty if there is none."""
    try:
        return _lines(f"/proc/{pid}/comm")[0]
    except OSError:
        return ""


def members(group):
    """Pids in a cgroup directory; none if it is gone."""
    try:
        return [int(line) for line in _lines(f"{group}/cgroup.procs")]
    except OSError:
        return []


def groups(server):
    """The service's own cgroup directories, in every hierarchy."""
    mark = f"/paddock-{server.pid}-"
    return [folder for folder in leftovers.cgroups() if mark in folder]


def group_memory(server):
    """Bytes charged to all sandboxes, those that are gone included."""
    own = sorted(groups(server), key=len)
    # With cgroup v2 the service itself is below the topmost group too.
    for folder in sorted(own, key=lambda path: not path.endswith("/sandboxes")):
        for file in ("memory.usage_in_bytes", "memory.current"):
            if os.path.exists(f"{folder}/{file}"):
                return _number(f"{folder}/{file}")
    raise AssertionError("no memory control group of the service")


def _roles(server):
    """{pid: role} of supervisor, server and workers; the rest is a sandbox's."""
    roles = {server.pid: "supervisor"}
    lines = leftovers.processes()
    for pid in sorted(leftovers.descendants(server.pid)):
        fields = _lines(f"/proc/{pid}/stat")[0].rpartition(")")[2].split()
        if int(fields[1]) == server.pid:
            is_server = "--role=server" in lines.get(pid, "")
            roles[pid] = "server" if is_server else f"worker {pid}"
    return roles


def server_memory(server):
    """Resident bytes of the process that speaks gRPC."""
    pid, = (pid for pid, line in leftovers.processes().items()
            if "--role=server" in line
            and f"--parent-pid={server.pid}" in line.split())
    return _resident_bytes(pid)


def figures(server):
    """{what: (value, tolerance)}; for some, less than before is good too."""
    roles = _roles(server)
    found = {
        # With zombies: a pid that nobody has reaped is one less for the host.
        "processes": (len(leftovers.descendants(server.pid)), 0),
        "cgroups": (len(groups(server)), 0),
        "mounts of the host": (len(_lines("/proc/self/mountinfo")), 0),
        "memory of the sandboxes": (group_memory(server), GROUP_MEMORY_BYTES),
    }
    for pid, role in roles.items():
        found[f"descriptors of the {role}"] = (
            len(os.listdir(f"/proc/{pid}/fd")), DESCRIPTORS.get(role, 0))
        found[f"mounts of the {role}"] = (
            len(_lines(f"/proc/{pid}/mountinfo")), 0)
        found[f"threads of the {role}"] = (
            len(os.listdir(f"/proc/{pid}/task")), THREADS.get(role, 0))
        found[f"memory of the {role}"] = (
            _resident_bytes(pid),
            PROCESS_MEMORY_BYTES.get(role, OTHER_MEMORY_BYTES))
    return found


def _figures_or_none(server):
    try:
        return figures(server)
    except (FileNotFoundError, ProcessLookupError):
        return None  # something ended while we looked


def _grown(before, now):
    if now is None:
        return {"": "a process or a cgroup was just going away"}
    grown = {}
    for what in before.keys() | now.keys():
        (was, tolerance), (is_now, _) = (
            before.get(what, (0, 0)), now.get(what, (0, 0)))
        if is_now > was + tolerance or (tolerance == 0 and is_now != was):
            grown[what] = f"{was} before, {is_now} now"
    return grown


def settled(server, api):
    """The figures of a service at rest: all its warm sandboxes stand."""
    deadline = time.monotonic() + 10
    last = None
    while time.monotonic() < deadline:
        now = _figures_or_none(server) if api.all_idle() else None
        if now is not None and last is not None and not _grown(last, now):
            return now
        last = now
        time.sleep(0.1)
    raise AssertionError(f"the service does not come to rest: {last}")


def assert_back(server, before, seconds=SETTLE_SECONDS):
    deadline = time.monotonic() + seconds
    while grown := _grown(before, _figures_or_none(server)):
        assert time.monotonic() < deadline, grown
        time.sleep(0.02)


def _memory(*names):
    """The sum of these lines of /proc/meminfo, in bytes."""
    values = {line.partition(":")[0]: int(line.split()[1])
              for line in _lines("/proc/meminfo")}
    return sum(values[name] for name in names) << 10


def open_files_of_host():
    """Those that are in no table of descriptors too."""
    return int(_lines("/proc/sys/fs/file-nr")[0].split()[0])


def network_namespaces():
    """Of the whole host, those that nobody is in too. Coarse, as whole slabs
    that a CPU holds ready count."""
    # The kernel may free those that it took down when it does so once more.
    for _ in range(2):
        subprocess.run(["unshare", "-n", "true"], check=True)
        time.sleep(0.2)
    return int(_lines("/sys/kernel/slab/net_namespace/objects")[0].split()[0])


def held_by_kernel():
    """Bytes that programs can make the kernel hold, whoever is charged."""
    return _memory(*HELD)


@contextlib.contextmanager
def growth(figure, noise, seconds=SETTLE_SECONDS):
    """Gives a function: by how much `figure()` grew since, at most, looked at
    50 times a second. In the end it has to be back but for `noise`."""
    def look():
        seen.append(figure() - before)
        return seen[-1]

    def watch():
        while not ended.wait(0.02):
            look()

    before, seen, ended = figure(), [0], threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: max(seen)
    finally:
        ended.set()
        watcher.join()
    deadline = time.monotonic() + seconds
    while look() >= noise:
        assert time.monotonic() < deadline, f"still {seen[-1]} more"
        time.sleep(0.02)


def host_figures():
    return collections.OrderedDict(
        memory=_memory("MemAvailable"),
        held=held_by_kernel(),
        files=open_files_of_host(),
        processes=sum(name.isdigit() for name in os.listdir("/proc")))


def _host_has_less(before):
    now = host_figures()
    return (now["memory"] < before["memory"] - HOST_MEMORY_BYTES
            or now["held"] > before["held"] + HELD_BYTES
            or now["files"] > before["files"] + HOST_FILES
            or now["processes"] > before["processes"] + HOST_PROCESSES)


@pytest.fixture
def nothing_stays(server, api):
    """Whatever the test runs, the service holds no more than before."""
    before = settled(server, api)
    yield
    assert_back(server, before)


@pytest.fixture(scope="module")
def host_recovers():
    """Whatever the file runs, the host has as much as before."""
    before = host_figures()
    yield
    deadline = time.monotonic() + HOST_SETTLE_SECONDS
    while _host_has_less(before):
        assert time.monotonic() < deadline, (before, host_figures())
        time.sleep(0.5)
