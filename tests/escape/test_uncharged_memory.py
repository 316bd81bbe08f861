"""Memory that the kernel charges to nobody: attack 34 of README.md.

What a limit on memory does not see is bounded by other means, each of which has
to let a program through that stays just under. test_socket_memory.py has those
of a network.
"""

import errno
import tempfile

import pytest

from attack import Sandbox
from attack import attacks
from attack import calls
from attack import host_output
from attack import on_host
from harness import jobs
from harness.jobs import MIB
# pylint: disable=unused-import
from harness.resources import host_recovers, nothing_stays  # noqa: F401
from harness.server import wait_until

pytestmark = pytest.mark.usefixtures("nothing_stays", "host_recovers")

ROOMY = dict(memory_bytes=64 * MIB, cpu_time=20, wall_time=40)

# The three entries that every access list has, acl(5).
ACCESS_LIST = "i:2,0x70001,-1,0x70004,-1,0x70020,-1 28 0"


@attacks(
    calls("access_list", f"setxattr s:{{dir}} s:system.posix_acl_access "
          f"{ACCESS_LIST}", inside=errno.EOPNOTSUPP),
    calls("default_list", "openat -100 s:{dir} 0", "fsetxattr $0 "
          f"s:system.posix_acl_default {ACCESS_LIST}",
          inside=errno.EOPNOTSUPP),
)
def test_access_lists(sandbox, attack):
    """Of 64 KiB each, for any number of inodes."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        attack.check(sandbox, dict(dir=folder), dict(dir="/work"))


MOST_POLLED = 1024


def wait_for(name, line):
    """On a host that lets a process have that many descriptors."""
    return calls(name, line, inside=errno.EINVAL,
                 prepare=f"ulimit -n {2 * MOST_POLLED}")


@attacks(
    wait_for("poll", "poll z: {count} 0"),
    wait_for("ppoll", "ppoll z: {count} w:0,0 0"),
    wait_for("select", "select {count} 0 0 0 w:0,0"),
    wait_for("pselect6", "pselect6 {count} 0 0 0 w:0,0 0"),
)
def test_of_a_thread_that_waits(sandbox, attack):
    over, most = dict(count=MOST_POLLED + 1), dict(count=MOST_POLLED)
    limits = {**ROOMY, "open_files": 2 * MOST_POLLED}
    attack.check(sandbox, over, over, limits=limits)
    line = attack.calls[0].format_map(most)
    assert sandbox.report("calls", line, limits=limits) == {
        "done": 1, "errno": 0}


# worker/sandbox/record_locks.h. Until the kernel is asked how many there are, a
# call of fcntl counts for the two that it could make.
MOST_LOCKS = 16384
MOST_LOCKS_OF_ALL = 2 * MOST_LOCKS


def lock(sandbox, count, how):
    return sandbox.report("hog-record-locks", "/work", count, how,
                          limits=ROOMY)


@pytest.mark.parametrize("how, most", [
    ("posix", MOST_LOCKS),
    ("children", MOST_LOCKS),
    ("leaderless", MOST_LOCKS),
    ("open-file", MOST_LOCKS // 2),
    ("orphans", MOST_LOCKS // 2),
])
def test_record_locks(sandbox, how, most):
    control = on_host("hog-record-locks", "/dev/shm", 2 * MOST_LOCKS, how)
    assert control == {"done": 2 * MOST_LOCKS, "errno": 0}
    under = most - MOST_LOCKS // 8
    assert lock(sandbox, under, how) == {"done": under, "errno": 0}
    over = lock(sandbox, 2 * MOST_LOCKS, how)
    assert over["errno"] == errno.ENOLCK
    assert under < over["done"] <= most


@pytest.fixture(name="many")
def _many(start_server):
    """A service with so many workers that each has a small share of locks."""
    count = 16
    api = jobs.Api(start_server({"workers": {"count": count}}).channel)
    return api, MOST_LOCKS_OF_ALL // count


@pytest.mark.parametrize("how", ["whole", "whole-orphans"])
def test_locks_of_flock(many, how):
    """One for each open file: as many as there may be of those."""
    api, share = many
    sandbox = Sandbox(api)
    over = 3000
    assert share < over
    control = on_host("hog-record-locks", "/dev/shm", over, how,
                      prepare=f"ulimit -n {2 * over}")
    assert control == {"done": over, "errno": 0}
    limits = dict(ROOMY, open_files=4096)
    for count, expected in ((share, {"done": share, "errno": 0}),
                            (over, {"done": share, "errno": errno.ENOLCK})):
        result = api.probe("hog-record-locks", "/work", count, how,
                           limits=limits)
        assert jobs.probe_report(result) == expected, result
    sandbox.assert_clean()


# Takes as many as it may, and keeps them.
KEEPS = """
import fcntl, os, struct, sys, time
files, done, child = [], 0, 0
try:
    while True:
        if sys.argv[1] == 'whole':
            if len(files) == 4000:
                files, child = [], os.fork()
                if child:
                    break
            files.append(open('/work/lock', 'a'))
            fcntl.flock(files[-1], fcntl.LOCK_SH)
        else:
            if done % 1000 == 0:
                files.append(open(f'/work/lock{done}', 'w'))
            lock = struct.pack('hhqqixxxx', fcntl.F_WRLCK, 0,
                               2 ** 62 + 2 * done, 1, 0)
            fcntl.fcntl(files[-1], fcntl.F_SETLK, lock)
        done += 1
except OSError as error:
    pass
time.sleep(1000)
"""


@pytest.mark.parametrize("how", ["posix", "whole"])
def test_locks_of_others_leave_room(start_server, how):
    """The kernel's list of them, by which they are counted, is the host's."""
    workers = 8
    api = jobs.Api(start_server({"workers": {"count": workers}}).channel)
    sandbox = Sandbox(api)
    count = MOST_LOCKS

    def relocks():
        result = api.probe("relock-record", "/work", count, how, limits=ROOMY)
        assert jobs.probe_report(result) == {"done": count, "errno": 0}

    relocks()
    before = host_locks()
    others = [api.start(jobs.make_process(
        "/usr/bin/python3", "-c", KEEPS, how,
        limits=dict(memory_bytes=128 * MIB, open_files=4096,
                    cpu_time=40, wall_time=60)))
        for _ in range(workers - 1)]
    try:
        wanted = before + (workers - 1) * (MOST_LOCKS_OF_ALL // workers) // 2
        wait_until(lambda: host_locks() >= wanted, 30, 0.1)
        relocks()
    finally:
        for other in others:
            other.cancel()
    assert host_locks() - before <= MOST_LOCKS_OF_ALL
    wait_until(api.all_idle, 10)
    sandbox.assert_clean()


def host_locks():
    with open("/proc/locks", "rb", buffering=0) as file:
        return sum(block.count(b"\n")
                   for block in iter(lambda: file.read(4096), b""))


def test_no_lease(sandbox):
    """A lock of a third kind, which only who owns a file may take."""
    ask = ("import fcntl, os\n"
           "file = os.open('{}/leased', os.O_RDONLY | os.O_CREAT)\n"
           "try:\n    print(fcntl.fcntl(file, fcntl.F_SETLEASE, "
           "fcntl.F_RDLCK))\nexcept OSError as error:\n"
           "    print(-error.errno)\n")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert host_output("python3", "-c", ask.format(folder)) == b"0\n"
    result = sandbox.python(ask.format("/work"), limits=ROOMY)
    assert result.stdout.data == b"-%d\n" % errno.EINVAL


def test_a_violation_behind_locks_is_named(sandbox):
    """The last of these locks has all of them counted. For a while after that
    the worker hears nothing."""
    name, _, _ = sandbox.violation("violate-behind-locks", "/work",
                                   MOST_LOCKS // 2 + 1, limits=ROOMY)
    assert name == "swapoff"


@pytest.mark.parametrize("how", ["posix", "whole"])
def test_locks_given_back_do_not_count(sandbox, how):
    count = 3 * MOST_LOCKS
    assert sandbox.report("relock-record", "/work", count, how,
                          limits=ROOMY) == {"done": count, "errno": 0}


def test_locks_of_open_files_count_for_ever(sandbox):
    """They may lie in a message to nobody, so nobody can tell."""
    result = sandbox.python(f"""
import fcntl, struct
file = open('/work/locked', 'w')
def call(command, kind):
    lock = struct.pack('hhqqixxxx', kind, 0, 0, 1, 0)
    fcntl.fcntl(file, command, lock)
for i in range({MOST_LOCKS // 4}):
    call(fcntl.F_OFD_SETLK, fcntl.F_WRLCK)
    call(fcntl.F_OFD_SETLK, fcntl.F_UNLCK)
for command in fcntl.F_OFD_SETLK, fcntl.F_SETLK:
    try:
        call(command, fcntl.F_WRLCK)
    except OSError as error:
        print(error.errno)
""", limits=ROOMY)
    assert result.stdout.data == b"%d\n" % errno.ENOLCK * 2, result


def test_locks_still_exclude(sandbox):
    """A call that the filter asks about is carried out."""
    result = sandbox.python("""
import fcntl, os
file = open('/work/locked', 'w')
fcntl.lockf(file, fcntl.LOCK_EX)
begin, end = os.pipe()
if os.fork() == 0:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        print(error.errno, flush=True)
    os.write(end, b'x')
    fcntl.lockf(file, fcntl.LOCK_EX)
    print('waited', flush=True)
    os._exit(0)
os.read(begin, 1)
print('given back', flush=True)
fcntl.lockf(file, fcntl.LOCK_UN)
os.wait()
""", limits=ROOMY)
    assert result.outcome == jobs.SUCCEEDED, result
    assert result.stdout.data == b"%d\ngiven back\nwaited\n" % errno.EAGAIN
