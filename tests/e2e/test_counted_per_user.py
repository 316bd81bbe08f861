"""What the kernel counts for each user: from whom a job takes it.

Where root of the host starts paddockd, from nobody. Else paddockd is in a user
namespace, and the kernel counts all jobs for the maker of that one as well.
"""

import contextlib
import errno
import json
import os
import re
import subprocess
import tempfile

import pytest
from paddock.v1 import enforcement_pb2

from harness import as_user
from harness import jobs
from harness import leftovers
from harness import paths
from harness import resources
from harness.server import FEW_CAPABILITIES
from harness.server import Server
from harness.server import wait_until

# Longer than any look takes: whoever holds is cancelled then.
HOLD_SECONDS = 60
HOLDS_LONG = dict(wall_time=HOLD_SECONDS)
# More than the 1024 that a job may have, less than two jobs have.
PENDING = 1500
# Of locked memory, in bytes: what one job may have.
LOCKED = 64 << 10
# Enough for one such job and paddockd itself, not for two.
PROCESSES, PROCESSES_OF_A_JOB = 110, 55
PROBE = {"/tmp/probe": jobs.probe("exit", 0).inputs[0].source.data}
FORK_AND_HOLD = (f"for i in $(seq {PROCESSES_OF_A_JOB}); do "
                 f"sleep {HOLD_SECONDS} & done; wait")
WORKERS = 2
# Mode of a Server -> whether jobs share with each other, and with whoever
# started paddockd.
MODES = {None: (False, False), FEW_CAPABILITIES: (True, False),
         "range": (True, True)}
# Nobody but root escapes this one. (The server process of a paddockd of root
# would share it with whoever else runs under its user.)
LIMITED = {None: [], FEW_CAPABILITIES: [f"--nproc={PROCESSES}"],
           "range": [f"--nproc={PROCESSES}"]}


@pytest.fixture(params=MODES, scope="module", name="mode", ids=str)
def _mode(request):
    return request.param


@pytest.fixture(scope="module", name="server")
def _server(work_directory, mode):
    directory = tempfile.mkdtemp(dir=work_directory)
    os.chmod(directory, 0o755)
    before = leftovers.snapshot()
    server = Server(
        directory, {"workers": {"count": WORKERS}, "sandbox": {"profiles": [
            {"name": "watch", "weakenings": ["inotify"]}]}}, user=mode,
        wrapper=["prlimit", f"--sigpending={PENDING}", f"--memlock={LOCKED}",
                 *LIMITED[mode]])
    yield server.start()
    assert server.stop() == 0, server.log()
    leftovers.assert_none_since(before)


@pytest.fixture(scope="module", name="api")
def _api(server):
    return jobs.Api(server.channel)


def by_the_starter(mode, *probe):
    """What a probe reports that he runs who started paddockd."""
    user = as_user.UID if mode == "range" else 0
    output = subprocess.run(
        ["prlimit", f"--sigpending={PENDING}", "setpriv", f"--reuid={user}",
         "--", paths.PROBE, *map(str, probe)], stdout=subprocess.PIPE,
        check=False).stdout
    return json.loads(output)


def programs(server, name):
    """Pids of those called `name` that wait: what they are after they have,
    or cannot get."""
    return [pid for pid in leftovers.descendants(server.pid)
            if resources.name(pid) == name and leftovers.state(pid) == "S"]


def pending_signals(pid):
    """Of its user, proc(5)."""
    with open(f"/proc/{pid}/status", encoding="latin-1") as file:
        return int(re.search(r"^SigQ:\s*(\d+)", file.read(), re.M)[1])


def watchers(pid):
    """Its inotify instances."""
    return sum(os.readlink(entry.path) == "anon_inode:inotify"
               for entry in os.scandir(f"/proc/{pid}/fd"))


def while_held(api, holder, held, look):
    """look(), while held() says that the job `holder` has what it takes."""
    def still_held():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return held()
        return False  # it ended while we looked

    call = api.start(holder)
    wait_until(still_held, 10)
    seen = look()
    assert still_held(), "the control: at the same time"
    call.cancel()
    wait_until(lambda: not still_held() and api.all_idle(), 10)
    return seen


def test_the_table_says_so(api, mode):
    layer, = (row for row in api.info().layers if row.layer == "user_ids")
    shares = MODES[mode][0]
    assert layer.state == (
        enforcement_pb2.ENFORCEMENT_STATE_DEGRADED if shares
        else enforcement_pb2.ENFORCEMENT_STATE_ENFORCED)
    for word in ("pending signals", "processes"):
        assert (word in layer.mechanism) == shares
    assert "inotify" not in layer.mechanism


def test_pending_signals(api, server, mode):
    def look():
        return (jobs.probe_report(api.probe("queue-signals", 1024)),
                by_the_starter(mode, "queue-signals", PENDING + 1))

    def held():
        return any(pending_signals(pid) == 1024
                   for pid in programs(server, "probe"))

    alone = look()
    assert alone[0] == {"done": 1024, "errno": 0}
    assert 1024 < alone[1]["done"] <= PENDING
    both = while_held(
        api, jobs.probe("hold", "signals", HOLD_SECONDS, limits=HOLDS_LONG),
        held, look)
    for report, shares in zip(both, MODES[mode]):
        if shares:
            assert 0 < report["done"] <= PENDING - 1024
            assert report["errno"] == errno.EAGAIN
        else:
            # Not as many as before: others of the starter's user come and
            # go, and each timer_create(2) of theirs takes one.
            assert report["done"] >= 1024


def test_locked_system_v_memory(api, server):
    """The kernel compares pages of all with the starter's limit in bytes."""
    def look():
        return jobs.probe_report(api.probe("seek", "locked"))["errno"]

    def held():
        return len(programs(server, "probe")) == 1

    both = while_held(
        api, jobs.probe("hold", "locked", HOLD_SECONDS, limits=HOLDS_LONG),
        held, look)
    assert both == errno.ENOENT, "some is left to lock"


def most(mode, kind):
    """What a job may have of inotify: with others its part, else all."""
    with open(f"/proc/sys/fs/inotify/max_user_{kind}", encoding="ascii") as file:
        limit = int(file.read())
    return limit // (WORKERS + 1) if MODES[mode][0] else limit


def test_inotify_instances(api, server, mode):
    """Two jobs that take all that they can get leave the user some."""
    wanted = most(mode, "instances")

    def look():
        made = [jobs.probe_report(api.probe("inotify-instances", count,
                                            profile="watch"))
                for count in (wanted, wanted + 1)]
        return *made, by_the_starter(mode, "seek", "watchers")

    def held():
        return any(watchers(pid) == wanted
                   for pid in programs(server, "probe"))

    reports = while_held(
        api, jobs.probe("hold", "watchers", HOLD_SECONDS, profile="watch",
                        limits=HOLDS_LONG), held, look)
    assert reports[0] == {"done": wanted, "errno": 0}
    assert reports[1] == {"done": wanted, "errno": errno.EMFILE}
    assert reports[2]["errno"] == errno.ENOENT


def test_inotify_watches(api, mode):
    wanted = most(mode, "watches")
    for more, error in ((0, 0), (1, errno.ENOSPC)):
        report = jobs.probe_report(api.probe(
            "inotify-watches", wanted + more, profile="watch"))
        assert report == {"done": wanted, "errno": error}


def test_processes(api, server, mode):
    """What the pids cgroup gives a job can still be missing to it."""
    def look():
        return jobs.probe_report(api.probe(
            "fork", PROCESSES_OF_A_JOB, limits=dict(processes=64)))

    alone = look()
    assert alone == {"done": PROCESSES_OF_A_JOB, "errno": 0}
    both = while_held(
        api, jobs.make_process("/bin/sh", "-c", FORK_AND_HOLD,
                               limits=dict(processes=64, **HOLDS_LONG)),
        lambda: len(programs(server, "sleep")) == PROCESSES_OF_A_JOB, look)
    if mode == "range":
        assert both["done"] < PROCESSES_OF_A_JOB
        assert both["errno"] == errno.EAGAIN
    else:
        assert both == alone
