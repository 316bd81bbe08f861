"""A client that goes away takes its program along, at once."""

import contextlib
import os
import signal
import subprocess
import time

import grpc
import pytest

from harness import errors
from harness import jobs
from harness import leftovers
from harness import paths
from harness.jobs import MIB
from harness.server import wait_until
from harness.time_scale import scaled

FREE_SECONDS = scaled(0.1)
MARK = "paddock-cancel-mark"


def programs():
    """Pids of sandboxed programs of these tests, by their arguments."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    argv = file.read().split(b"\0")
            except OSError:
                continue
            if MARK.encode() in argv and int(name) != os.getpid():
                if leftovers.is_alive(int(name)):
                    found.append(int(name))
    return found


def marked_sleep():
    return jobs.make_process("/bin/sh", "-c", "sleep 60 & exec sleep 60", MARK)


def marked_script():
    # /bin/sh keeps its arguments, so the program can be found.
    return jobs.make_process(
        "/bin/sh", "-c", "trap '' TERM HUP INT; while :; do sleep 1; done",
        MARK)


def is_free(api):
    return not programs() and "BUSY" not in api.worker_states()


@pytest.fixture
def running(api):
    wait_until(api.all_idle, 10)
    call = api.start(marked_script())
    wait_until(programs, 10)
    yield call
    call.cancel()


def test_cancel_frees_the_worker(api, running):
    running.cancel()
    took = wait_until(lambda: is_free(api), 5)
    print(f"free after {took * 1e3:.1f} ms")
    assert took < FREE_SECONDS
    assert running.code() == grpc.StatusCode.CANCELLED


def resident_bytes(pid):
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) << 10
    return 0


def test_one_that_holds_much_frees_the_worker(api):
    """Memory, and files that the worker has to take down first."""
    wait_until(api.all_idle, 10)
    call = api.start(jobs.make_process(
        "/usr/bin/python3", "-c", "import time; "
        f"open('file', 'wb').write(b'x' * {32 * MIB}); "
        f"held = b'x' * {128 * MIB}; time.sleep(60)", MARK,
        limits=dict(memory_bytes=256 * MIB, workspace_bytes=48 * MIB)))
    wait_until(lambda: any(resident_bytes(pid) > 128 * MIB
                           for pid in programs()), 20)
    call.cancel()
    took = wait_until(lambda: is_free(api), 5)
    print(f"free after {took * 1e3:.1f} ms")
    assert took < FREE_SECONDS


def test_the_deadline_frees_the_worker(api):
    wait_until(api.all_idle, 10)
    error = errors.error_of(api.execute, marked_script(), timeout=0.5)
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    took = wait_until(lambda: is_free(api), 5)
    assert took < FREE_SECONDS


def test_a_client_that_is_killed_frees_the_worker(server, api):
    wait_until(api.all_idle, 10)
    client = subprocess.Popen(
        [paths.PADDOCK, "run", "--server", server.address, "--",
         "/bin/sh", "-c", "while :; do sleep 1; done", MARK],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    # The client has the mark in its arguments as well.
    wait_until(lambda: len(programs()) >= 2, 10)
    client.send_signal(signal.SIGKILL)
    client.wait()
    took = wait_until(lambda: is_free(api), 5)
    assert took < FREE_SECONDS


def test_a_channel_that_is_closed_frees_the_worker(server, api):
    wait_until(api.all_idle, 10)
    channel = server.new_channel()
    call = jobs.Api(channel).start(marked_script())
    wait_until(programs, 10)
    channel.close()
    assert wait_until(lambda: is_free(api), 5) < FREE_SECONDS
    assert call.code() == grpc.StatusCode.CANCELLED


def test_cancel_while_queued_runs_nothing(api):
    wait_until(api.all_idle, 10)
    sleepers = [api.start(jobs.make_process("/bin/sleep", "1"))
                for _ in api.workers()]
    wait_until(lambda: set(api.worker_states()) == {"BUSY"}, 5)
    queued = api.start(marked_script())
    time.sleep(0.1)
    queued.cancel()
    for sleeper in sleepers:
        assert sleeper.result().result.outcome == jobs.SUCCEEDED
    time.sleep(0.2)
    assert not programs()
    assert api.all_idle()


def test_many_cancels_leave_nothing(api):
    wait_until(api.all_idle, 10)
    time.sleep(1)  # the tear-down of what ran before
    before = leftovers.cgroups()
    for number in range(30):
        call = api.start(marked_sleep())
        time.sleep(0.002 * (number % 15))
        call.cancel()
    wait_until(api.all_idle, 10)
    assert not programs()
    # A warm sandbox has cgroups of its own, so their number comes back, not
    # their names.
    wait_until(lambda: len(leftovers.cgroups()) <= len(before), 3)
    assert api.run("/bin/true").outcome == jobs.SUCCEEDED


def cgroup_directories(pid):
    """The directories of the cgroups `pid` is in, but for the roots."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        paths_ = {line.rstrip("\n").split(":", 2)[2] for line in file}
    return {directory for directory in leftovers.cgroups()
            for path in paths_ - {"/"} if directory.endswith(path)}


def test_the_cgroups_of_a_cancelled_job_go_within_a_second(api, running):
    pid = min(programs())
    sandbox = {directory for directory in cgroup_directories(pid)
               if "/paddock-" in directory
               # Not the daemon's own, of what is equal for all sandboxes.
               and os.path.basename(directory).startswith("w")}
    assert sandbox
    running.cancel()
    wait_until(lambda: not any(map(os.path.exists, sandbox)), 1)
