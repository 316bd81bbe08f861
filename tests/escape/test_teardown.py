"""Teardown: attacks 51 to 53 of README.md.

Whatever a program leaves behind, its answer does not wait for it, and then it
is gone: processes, mounts, control groups, memory. Cancelling and crashing with
well-behaved programs is in tests/e2e (cancel, crash, worker_loss).
"""

import contextlib
import os
import signal
import statistics
import subprocess
import time

import grpc
import pytest

import attack
from harness import jobs
from harness import leftovers
from harness import resources
from harness.jobs import MIB
from harness.metrics import Scrape
from harness.resources import nothing_stays  # noqa: F401
from harness.server import wait_until
from harness.time_scale import SCALE

SECONDS = 2
# Network namespaces in slabs that a CPU holds ready, and until the kernel has
# taken down those of a hundred runs.
NAMESPACES_HELD = 40
NAMESPACES_SECONDS = 10
LIMITS = dict(processes=200, memory_bytes=512 * MIB, cpu_time=20, wall_time=40,
              open_files=512)


def programs(server):
    """Pids of all that runs in sandboxes, warm ones and zombies left out."""
    found = set()
    for group in resources.groups(server):
        for pid in resources.members(group):
            # Not its arguments: they stand in memory, which a program that is
            # being made to wait for its CPU share keeps locked.
            if leftovers.is_alive(pid) and resources.name(pid) == "probe":
                found.add(pid)
    return found


# 51. What outlives the main program.


@pytest.mark.parametrize("arguments, processes", [
    (("daemons", 50), 51),
    (("daemon", 60), 2),
    (("zombies", 50), 51),
    (("hydra-left", 8), 8),
    (("cpu-survivor", 0.05), 2),  # it is stopped
], ids=lambda value: value[0] if isinstance(value, tuple) else "")
def test_what_is_left_running_ends_with_the_program(
        nothing_stays, server, sandbox, arguments, processes):
    begin = time.monotonic()
    result = sandbox.api.execute(jobs.probe(
        *arguments, limits=LIMITS)).process
    assert time.monotonic() - begin < SECONDS
    assert not programs(server), "after the answer nothing of it runs"
    assert result.outcome == jobs.SUCCEEDED
    # The control: they were there.
    assert result.usage.peak_processes >= processes
    sandbox.assert_clean()


def test_an_orphan_that_writes_on_does_not_lengthen_the_answer(sandbox):
    """What it wrote until the end is output, what comes after is not."""
    result = sandbox.shell("(trap '' HUP TERM; yes) & echo first; sleep 0.1",
                           limits={**LIMITS, "output_bytes": MIB})
    assert result.outcome == jobs.SUCCEEDED
    assert b"first\n" in result.stdout.data
    assert jobs.seconds(result.usage.wall_time) < SECONDS


# 52. Mounts, control groups, IPC objects, memory.


def test_ipc_objects_and_files_go_with_the_run(nothing_stays, sandbox):
    """Made in the background, still there when the program ends."""
    script = (f"for what in 'hog-sysv {64 * MIB}' 'hog-queues {4 * MIB}'"
              f" 'write-file /tmp/a {32 * MIB}'"
              f" 'write-file /dev/shm/b {32 * MIB}'"
              " 'make-files . 5000' 'deep-tree 500';"
              "do /work/probe $what; done; exit 3")
    for _ in range(5):
        result = sandbox.shell(
            script, limits={**LIMITS, "workspace_inodes": 10_000},
            inputs={"probe": jobs.probe("exit", 0).inputs[0].source.data})
        reports = result.stdout.data.decode().splitlines()
        assert len(reports) == 6
        assert all('"errno": 0' in report for report in reports), reports
        assert result.usage.peak_memory_bytes > 128 * MIB


def assert_namespaces_go(before):
    wait_until(lambda: resources.network_namespaces() < before + NAMESPACES_HELD,
               NAMESPACES_SECONDS)


def test_a_hundred_runs_leave_as_much_as_one(nothing_stays, sandbox):
    before = resources.network_namespaces()
    for number in range(100):
        result = sandbox.probe(("fork", "zombies", "daemons")[number % 3], 5)
        assert result.outcome == jobs.SUCCEEDED
    assert_namespaces_go(before)


# A hundred that nobody is in.
HOLD_NAMESPACES = """
import ctypes, os, sys
held = []
for _ in range(100):
    assert ctypes.CDLL(None).unshare(0x40000000) == 0
    held.append(os.open("/proc/self/ns/net", os.O_RDONLY))
print(flush=True)
sys.stdin.read()
"""


def test_network_namespaces_that_stay_would_be_seen():
    """The control of that: a hundred show as such."""
    before = resources.network_namespaces()
    with subprocess.Popen(["python3", "-c", HOLD_NAMESPACES],
                          stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"\n"
        grown = resources.network_namespaces() - before
        holder.stdin.close()
    assert grown > 100 - NAMESPACES_HELD
    assert_namespaces_go(before)


KINDS = ("cgroup", "ipc", "mnt", "net", "pid", "uts")


def namespaces(pid):
    """Those of a process, as links of /proc name them."""
    found = set()
    with contextlib.suppress(OSError):  # it ended
        for kind in KINDS:
            found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
    return found


def mounts(server):
    """How many each worker has, that of the sandbox that stands ready too."""
    found = {}
    for pid in leftovers.worker_pids(server):
        with open(f"/proc/{pid}/mountinfo", encoding="latin-1") as file:
            found[pid] = len(file.readlines())
    return found


def test_mounts_and_cgroups_go_within_a_second(server, sandbox):
    """Those of one run. Its own mounts go with the namespace that nobody is in
    any more; the numbers of one that is gone may be the next sandbox's."""
    took = []
    for _ in range(9):
        resources.settled(server, sandbox.api)
        before = mounts(server)
        call = sandbox.api.start(jobs.make_process(
            "/bin/sleep", str(0.5 * SCALE)))
        wait_until(lambda: attack.program_of(server), 10)
        program = attack.program_of(server)
        spaces = namespaces(program) - namespaces(os.getpid())
        inside = {int(pid) for pid in filter(str.isdigit, os.listdir("/proc"))
                  if spaces & namespaces(pid)}
        groups = {group for group in resources.groups(server)
                  if program in resources.members(group)
                  and os.path.basename(group).startswith("w")}
        # The control: there they are.
        assert len(spaces) == len(KINDS) and program in inside and groups
        assert call.result().result.outcome == jobs.SUCCEEDED
        took.append(wait_until(
            lambda: not any(map(os.path.exists, groups))
            and not any(spaces & namespaces(pid) for pid in inside)
            and mounts(server) == before, 5))
        sandbox.assert_clean()
    assert statistics.median(took) < SCALE, took


# Two ticks of the kernel's clock, at 100 Hz, for each socket of a chain.
TICKS = 0.02


@pytest.mark.parametrize("files, size", [
    ("default", 128 << 10), ("largest", 4 << 10)])
def test_memory_that_the_kernel_frees_late_is_kept_for_the_job(
        server, sandbox, files, size):
    """Sockets that lie in each other's messages it takes apart one by one."""
    before = resources.settled(server, sandbox.api)
    info = sandbox.api.info()
    limits = info.default_limits if files == "default" else info.max_limits
    sockets = limits.open_files - 10
    begin = time.monotonic()
    result = sandbox.api.execute(jobs.probe(
        "chain-sockets", sockets, size,
        limits={**LIMITS, "open_files": limits.open_files})).process
    assert time.monotonic() - begin < SECONDS
    assert jobs.probe_report(result) == {"done": sockets, "errno": 0}
    # The control: not all of it is back, and nobody else gets it. Of one
    # moment, since it may be soon.
    now = Scrape(server)
    assert result.usage.peak_memory_bytes > 20 * MIB
    assert now.value("paddock_memory_admitted_bytes") >= LIMITS["memory_bytes"]
    assert now.total("paddock_workers", state="busy") == 1
    wait_until(sandbox.api.all_idle, sockets * TICKS + SECONDS, 0.05)
    assert Scrape(server).value("paddock_memory_admitted_bytes") == 0
    resources.assert_back(server, before, sockets * TICKS + SECONDS)
    assert "could not be taken down" not in server.log()


def test_memory_that_the_kernel_frees_late_does_not_add_up(server, sandbox):
    """Of each job there is less than its worker would wait for."""
    before = resources.settled(server, sandbox.api)
    sockets = 500
    most = 0
    for _ in range(8):
        result = sandbox.api.execute(jobs.probe(
            "chain-sockets", sockets, 24 << 10, limits=LIMITS)).process
        assert jobs.probe_report(result) == {"done": sockets, "errno": 0}
        most = max(most, resources.group_memory(server))
    # The first: the control. And there is one worker.
    assert 8 * MIB < most < 64 * MIB
    resources.assert_back(server, before, sockets * TICKS + SECONDS)


# 53. The client goes away, or the server dies, while a bomb is at work.

BOMBS = {"fork bomb": ("fork-bomb",), "hydra": ("hydra", 8),
         "stopped tree": ("stop-tree", 50), "flood": ("flood-both",),
         "vfork": ("vfork-hang",), "crash loop": ("crash-loop", 0)}


def each_bomb(test):
    return pytest.mark.parametrize(
        "bomb", BOMBS.values(), ids=BOMBS.keys())(test)


def start(api, server, bomb, **options):
    call = api.start(jobs.probe(*bomb, limits=LIMITS), **options)
    wait_until(lambda: programs(server), 10)
    time.sleep(0.2)
    assert programs(server), "the control: it is at work"
    return call


@each_bomb
def test_cancelled(nothing_stays, server, sandbox, bomb):
    call = start(sandbox.api, server, bomb)
    call.cancel()
    wait_until(lambda: not programs(server) and sandbox.api.all_idle(),
               SECONDS)
    sandbox.assert_clean()


@each_bomb
def test_past_its_deadline(nothing_stays, server, sandbox, bomb):
    # Time enough to be at work, on an emulated CPU too.
    call = start(sandbox.api, server, bomb, timeout=1 if SCALE == 1 else 4)
    assert call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_until(lambda: not programs(server) and sandbox.api.all_idle(),
               SECONDS)
    sandbox.assert_clean()


def test_disconnected(nothing_stays, server, sandbox):
    channel = server.new_channel()
    start(jobs.Api(channel), server, BOMBS["fork bomb"])
    channel.close()
    wait_until(lambda: not programs(server) and sandbox.api.all_idle(),
               SECONDS)
    sandbox.assert_clean()


@each_bomb
def test_supervisor_killed(shared_cgroup, start_server, server, api, bomb):
    resources.settled(server, api)  # else its next warm sandbox looks left over
    before = leftovers.snapshot()
    victim = start_server(shared_cgroup)
    start(jobs.Api(victim.new_channel()), victim, bomb)
    every = leftovers.descendants(victim.pid)
    victim.kill()
    wait_until(lambda: not any(map(leftovers.is_alive, every))
               and not programs(victim), 5)
    # The next start removes the cgroups.
    successor = start_server(shared_cgroup)
    next_api = jobs.Api(successor.channel)
    wait_until(next_api.all_idle, 10)  # it is ready with its first worker
    attack.Sandbox(next_api).assert_clean()
    assert successor.stop() == 0
    leftovers.assert_none_since(before)


@each_bomb
def test_server_process_killed(start_server, bomb):
    server = start_server({"workers": {"count": 1}})
    start(jobs.Api(server.new_channel()), server, bomb)
    os.kill(leftovers.server_pid(server), signal.SIGKILL)
    wait_until(lambda: not programs(server), 5)

    def serves():
        # A channel that was refused waits for seconds before it tries again.
        with server.new_channel() as channel:
            try:
                result = jobs.Api(channel).run("/bin/true")
            except grpc.RpcError:
                return False
        return result.outcome == jobs.SUCCEEDED
    wait_until(serves, 20, 0.1)
    with server.new_channel() as channel:
        attack.Sandbox(jobs.Api(channel)).assert_clean()
