"""Server or supervisor killed: nothing keeps running, nothing stays."""

import contextlib
import os
import signal
import time

import grpc
import pytest

from harness import jobs
from harness import leftovers
from harness import resources
from harness.server import wait_until

GONE_SECONDS = 5


def start_busy(start_server, config=None):
    """A server with a program running on each worker."""
    server = start_server(config)
    api = jobs.Api(server.new_channel())
    return server, api, make_busy(api)


def make_busy(api):
    calls = [api.start(jobs.make_process(
        "/bin/sh", "-c", "sleep 60 & exec sleep 60"))
        for _ in api.workers()]
    wait_until(lambda: set(api.worker_states()) == {"BUSY"}, 10)
    time.sleep(0.2)
    return calls


def held(server):
    """How many processes and cgroups it has, and mounts in each process."""
    pids = leftovers.descendants(server.pid)
    mounts = []
    for pid in pids:
        with contextlib.suppress(OSError):  # gone just now
            with open(f"/proc/{pid}/mountinfo", encoding="utf-8") as file:
                mounts.append(len(file.readlines()))
    return len(pids), len(resources.groups(server)), sorted(mounts)


def test_a_killed_server_is_started_again(start_server):
    server = start_server()
    api = jobs.Api(server.new_channel())
    resources.settled(server, api)
    before = held(server)
    calls = make_busy(api)
    old = leftovers.server_pid(server)
    os.kill(old, signal.SIGKILL)
    for call in calls:
        assert call.code() == grpc.StatusCode.UNAVAILABLE

    def answers():
        try:
            return set(api.worker_states()) == {"IDLE"}
        except grpc.RpcError:
            return False
    wait_until(answers, 20, 0.05)
    assert leftovers.server_pid(server) != old
    assert api.run("/bin/true").outcome == jobs.SUCCEEDED
    # The same addresses as before.
    unix = jobs.Api(server.new_channel(server.unix_address))
    assert unix.run("/bin/true").outcome == jobs.SUCCEEDED
    # Of the programs that ran there is nothing left.
    wait_until(lambda: held(server) == before, 10)


def test_programs_do_not_outlive_a_killed_server(start_server):
    server, _, _ = start_busy(start_server)
    role = leftovers.server_pid(server)
    programs = sleeping_programs(server)
    assert programs
    os.kill(role, signal.SIGKILL)
    wait_until(lambda: not any(map(leftovers.is_alive, programs)),
               GONE_SECONDS)
    # A supervisor that is told to stop before it has seen that death reports
    # a server that did not end well.
    wait_until(lambda: "start again in" in server.log(), 20)


def sleeping_programs(server):
    found = set()
    for pid in leftovers.descendants(server.pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read().startswith(b"sleep\0"):
                    found.add(pid)
        except OSError:
            continue
    return found


def test_nothing_outlives_a_killed_supervisor(shared_cgroup, start_server):
    before = leftovers.snapshot()
    server, _, _ = start_busy(start_server, shared_cgroup)
    everything = leftovers.descendants(server.pid)
    assert len(everything) > 5
    server.kill()
    wait_until(lambda: not any(map(leftovers.is_alive, everything)),
               GONE_SECONDS)
    assert leftovers.mounts() == before["mounts"]
    # The next start removes the cgroups.
    successor = start_server(shared_cgroup)
    assert jobs.Api(successor.channel).run("/bin/true").outcome == (
        jobs.SUCCEEDED)
    assert successor.stop() == 0
    leftovers.assert_none_since(before)


@pytest.mark.parametrize("delay", [0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_a_supervisor_killed_while_it_starts_leaves_no_process(
        shared_cgroup, work_directory, delay):
    """Also between fork and prctl in each child."""
    import subprocess
    from harness import paths
    from harness.server import base_config, merge
    import json
    import tempfile
    before = set(leftovers.processes())
    directory = tempfile.mkdtemp(dir=work_directory)
    config = os.path.join(directory, "paddock.yaml")
    with open(config, "w", encoding="utf-8") as file:
        json.dump(merge(base_config(directory), shared_cgroup), file)
    for _ in range(5):
        process = subprocess.Popen(
            [paths.PADDOCKD, "--config", config], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        leftovers.started_pids.add(process.pid)
        time.sleep(delay)
        process.kill()
        process.wait()
        wait_until(lambda: set(leftovers.processes()) <= before, GONE_SECONDS)


def test_cgroups_of_kills_while_starting_are_removed_at_last(
        shared_cgroup, start_server):
    before = leftovers.snapshot()
    for _ in range(3):
        server, _, _ = start_busy(start_server, shared_cgroup)
        server.kill()
    successor = start_server(shared_cgroup)
    assert successor.stop() == 0
    leftovers.assert_none_since(before)


def test_a_successor_starts_at_once_while_leftovers_die(
        shared_cgroup, start_server):
    server, _, _ = start_busy(start_server, shared_cgroup)
    server.kill()
    successor = start_server({**shared_cgroup, "listen": {
        "unix_socket": server.ready["unix_socket"]}})
    assert jobs.Api(successor.channel).run("/bin/true").outcome == (
        jobs.SUCCEEDED)
