"""Exhaustion: attacks 34 to 42 of README.md.

Each bomb ends with the outcome of the limit it passes, soon after it passed it,
and the service holds no more of the host than before; nor did the kernel hold
more meanwhile, but for noise, than the memory limit lets the program have. The
control is the same probe just under the limit, or where it never ends by itself
a like one that does: it has to succeed.
"""

import dataclasses
import errno
import subprocess
import time

import pytest
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from attack import SECONDS
from attack import on_host
from attack import time_to_pass
from host_helper import helper
from harness import jobs
from harness.jobs import MIB
from harness.resources import HELD_BYTES
from harness.resources import growth
from harness.resources import held_by_kernel
from harness.resources import open_files_of_host
# pylint: disable=unused-import
from harness.resources import host_recovers, nothing_stays  # noqa: F401
from harness.server import wait_until
from harness.time_scale import SCALE

pytestmark = pytest.mark.usefixtures("nothing_stays", "host_recovers")

R = result_pb2
# Until the kernel has given back what a program made it hold.
SETTLE = 10 * SCALE
ROOMY = dict(memory_bytes=512 * MIB, processes=64, cpu_time=20, wall_time=40,
             open_files=512, workspace_inodes=1000)
GIB = 1 << 30


@dataclasses.dataclass(frozen=True)
class Bomb:
    """A probe that passes a limit, and one that stays just under it."""
    name: str
    over: tuple
    under: tuple
    limits: dict
    outcome: int
    hit: frozenset
    # What it says of itself, where it lives to say it.
    error: int = 0
    streams: dict = dataclasses.field(default_factory=dict)

    def run(self, sandbox, arguments):
        limits = {**ROOMY, **self.limits}
        with growth(held_by_kernel, HELD_BYTES, SETTLE) as grown:
            begin = time.monotonic()
            result = sandbox.api.execute(jobs.probe(
                *arguments, limits=limits, **self.streams)).process
            answered = time.monotonic() - begin
        assert grown() < limits["memory_bytes"] + HELD_BYTES
        sandbox.assert_clean()
        return result, answered

    def check(self, sandbox):
        control, _ = self.run(sandbox, self.under)
        assert control.outcome == jobs.SUCCEEDED, control
        assert not control.limits_hit, control
        result, answered = self.run(sandbox, self.over)
        assert jobs.outcome_name(result.outcome) == jobs.outcome_name(
            self.outcome), result
        assert jobs.limit_names(result) == self.hit
        if self.error:
            assert jobs.probe_report(result)["errno"] == self.error
        assert answered < self.time_to_limit(control, result) + SECONDS
        return result

    def time_to_limit(self, control, result):
        """When the limit was passed, in seconds from the start."""
        used = jobs.seconds(result.usage.cpu_time)
        if "CPU_TIME" in self.hit:
            over = used - self.limits["cpu_time"]
            return jobs.seconds(result.usage.wall_time) - max(0, over)
        if "WALL_TIME" in self.hit:
            return self.limits["wall_time"]
        return time_to_pass(control)


def bomb(name, over, under, outcome, hit, error=0, streams=None, **limits):
    return Bomb(name, over, under, limits, outcome, frozenset(hit.split()),
                error, streams or {})


def refused(sandbox, probe, under, over=100_000):
    """What `probe` says of itself where a call is refused to it and no limit of
    the request is met."""
    result = bomb("", (probe, over), (probe, under), jobs.NONZERO_EXIT,
                  "").check(sandbox)
    return jobs.probe_report(result)


def bombs(*cases):
    return pytest.mark.parametrize(
        "bomb", [pytest.param(case, id=case.name) for case in cases])


# 34. Memory, whatever it is made of.

LIMIT, UNDER, OVER = 32 * MIB, 27 * MIB, 72 * MIB


def hog(name, *arguments, **limits):
    return bomb(name, (*arguments, OVER), (*arguments, UNDER),
                R.OUTCOME_MEMORY_LIMIT_EXCEEDED, "MEMORY",
                memory_bytes=LIMIT, **limits)


@bombs(
    hog("heap", "hog-heap"),
    hog("populated map", "hog-populate"),
    hog("many small children", "hog-children"),
    hog("/work", "write-file", "/work/f"),
    hog("/tmp", "write-file", "/tmp/f"),
    hog("/dev/shm", "write-file", "/dev/shm/f"),
    hog("memfd", "eat-memfd"),
    hog("shared map", "hog-shared"),
    hog("SysV segment", "hog-sysv"),
    hog("pipes", "hog-pipes"),
    hog("sockets", "hog-sockets"),
    hog("page tables", "hog-page-tables"),
    hog("SysV message queues", "hog-queues"),
    hog("spike that is given back", "hog-spike"),
    hog("grandchild", "hog-grandchild"),
)
def test_memory(sandbox, bomb):
    control, _ = bomb.run(sandbox, bomb.under)
    # Just under: what a way holds it is charged for.
    assert UNDER <= control.usage.peak_memory_bytes < LIMIT
    bomb.check(sandbox)


@pytest.mark.parametrize("probe", ["hog-shared", "hog-page-tables"])
def test_memory_that_is_charged_to_nobody_would_be_seen(probe):
    """The control of what each bomb here is held to."""
    over = 128 * MIB
    with growth(held_by_kernel, HELD_BYTES, SETTLE) as grown:
        assert on_host(probe, over)["errno"] == 0
    assert grown() > over - HELD_BYTES


def test_memory_of_thread_stacks(sandbox):
    bomb("", ("threads", 3000), ("threads", 500),
         R.OUTCOME_MEMORY_LIMIT_EXCEEDED, "MEMORY", memory_bytes=LIMIT,
         processes=4000).check(sandbox)


# 35. Processes and threads.

# On an emulated CPU what stays below it is dearer, and what else the host does
# counts too.
CPU_LIMIT = dict(outcome=R.OUTCOME_CPU_TIME_LIMIT_EXCEEDED,
                 cpu_time=0.7 if SCALE == 1 else 2)


@bombs(
    bomb("processes", ("fork", 64), ("fork", 63),
         R.OUTCOME_PROCESS_LIMIT_EXCEEDED, "PROCESSES", errno.EAGAIN),
    bomb("threads", ("threads", 64), ("threads", 63),
         R.OUTCOME_PROCESS_LIMIT_EXCEEDED, "PROCESSES", errno.EAGAIN),
    bomb("zombies", ("zombies", 64), ("zombies", 63),
         R.OUTCOME_PROCESS_LIMIT_EXCEEDED, "PROCESSES", errno.EAGAIN),
    bomb("fork bomb", ("fork-bomb",), ("fork", 63),
         hit="PROCESSES CPU_TIME", **CPU_LIMIT),
    bomb("large fork bomb", ("fork-bomb",), ("fork", 100),
         hit="PROCESSES CPU_TIME", processes=300,
         **{**CPU_LIMIT, "cpu_time": 2}),
    # Eight heads and what they grow.
    bomb("hydra", ("hydra", 8), ("hydra-left", 8), hit="CPU_TIME",
         processes=2000, **CPU_LIMIT),
)
def test_processes(sandbox, bomb):
    bomb.check(sandbox)


def test_memory_of_processes_that_are_gone(sandbox):
    """The kernel frees them later than it counts them: more memory than all
    that may live at a time. Emulated it keeps up, at least for so little CPU
    time, which is then what ends them."""
    end = (dict(outcome=R.OUTCOME_MEMORY_LIMIT_EXCEEDED, hit="MEMORY",
                cpu_time=20) if SCALE == 1 else
           {**CPU_LIMIT, "hit": "CPU_TIME", "cpu_time": 1})
    storm = bomb("", ("hydra", 62), ("fork", 63), memory_bytes=16 * MIB, **end)
    control, _ = storm.run(sandbox, storm.under)
    assert control.outcome == jobs.SUCCEEDED, control
    assert control.usage.peak_memory_bytes < 12 * MIB
    result, answered = storm.run(sandbox, storm.over)
    assert result.outcome == storm.outcome, result
    assert storm.hit <= jobs.limit_names(result) <= storm.hit | {"PROCESSES"}
    assert result.usage.peak_memory_bytes <= 16 * MIB
    assert answered < storm.time_to_limit(control, result) + SECONDS


# 36. Inodes, deep trees, sparse files.

DISK = R.OUTCOME_DISK_LIMIT_EXCEEDED


@bombs(
    bomb("inodes", ("make-files", ".", 1001), ("make-files", ".", 999), DISK,
         "WORKSPACE_INODES", errno.ENOSPC),
    bomb("deep tree", ("deep-tree", 1001), ("deep-tree", 999), DISK,
         "WORKSPACE_INODES", errno.ENOSPC),
    bomb("sparse pages", ("sparse-file", "f", 9), ("sparse-file", "f", 7),
         DISK, "WORKSPACE_BYTES", errno.ENOSPC, workspace_bytes=8 * 4096,
         file_size_bytes=16 * GIB),
    bomb("inodes of /tmp", ("make-files", "/tmp", 20000),
         ("make-files", "/tmp", 10000), DISK, "WORKSPACE_INODES",
         errno.ENOSPC),
    bomb("inodes of /dev/shm", ("make-files", "/dev/shm", 5000),
         ("make-files", "/dev/shm", 4000), DISK, "WORKSPACE_INODES",
         errno.ENOSPC),
)
def test_disk(sandbox, bomb):
    bomb.check(sandbox)


def test_a_file_of_many_gigabytes_is_none(sandbox):
    """Its size is a number only: neither memory nor the answer holds it."""
    result = sandbox.shell(
        "for i in 1 2 3 4; do truncate -s 16G $i; done; stat -c %s 1",
        outputs=["1"], limits={**ROOMY, "file_size_bytes": 16 * GIB})
    assert result.outcome == R.OUTCOME_OUTPUT_ERROR
    assert result.stdout.data == b"%d\n" % (16 * GIB)
    assert result.outputs[0].error.reason == R.FILE_ERROR_REASON_TOO_LARGE
    assert result.usage.peak_memory_bytes < 16 * MIB


# 37. Output.

KILL = process_pb2.Capture(on_overflow=process_pb2.OVERFLOW_POLICY_KILL)


@bombs(
    bomb("both streams, truncated", ("flood-both",), ("print", 1, 1000),
         hit="OUTPUT CPU_TIME", output_bytes=1000, **CPU_LIMIT),
    bomb("both streams, killed", ("flood-both",), ("print", 2, 1000),
         R.OUTCOME_OUTPUT_LIMIT_EXCEEDED, "OUTPUT", output_bytes=1000,
         streams=dict(stdout=KILL, stderr=KILL)),
)
def test_output(sandbox, bomb):
    bomb.check(sandbox)


# 38. Descriptors.


def test_descriptors_in_flight(sandbox):
    """In messages that nobody receives, so that no table has them."""
    assert refused(sandbox, "fds-in-flight", 500) == {
        "done": 513, "errno": errno.ETOOMANYREFS}


# In messages of 250, that long. Each is an open file of its own.
HOLD_IN_FLIGHT = """
import os, socket, time
ends = socket.socketpair()
for _ in range(16):
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(250)]
    socket.send_fds(ends[0], [b"x"], files)
    for file in files: os.close(file)
time.sleep(0.3)
print(len(os.listdir("/proc/self/fd")) < 10)
"""


def test_descriptors_in_flight_are_closed(sandbox):
    """No table that `nothing_stays` counts has them; the host counts files."""
    for _ in range(5):
        with growth(open_files_of_host, 1000) as grown:
            result = sandbox.api.python(
                HOLD_IN_FLIGHT, limits={**ROOMY, "open_files": 4096})
            assert result.stdout.data == b"True\n", result
            assert grown() > 3000  # the control
        sandbox.assert_clean()


def test_memory_of_descriptors_in_flight(sandbox):
    """Full pipes whose only descriptor is in such a message."""
    bomb("", ("pipes-in-flight", 3000), ("pipes-in-flight", 300),
         R.OUTCOME_MEMORY_LIMIT_EXCEEDED, "MEMORY", memory_bytes=LIMIT,
         open_files=4096).check(sandbox)


# 39. Timers, signals, message queues.


@pytest.mark.parametrize("kind", ["timers", "queue-signals"])
def test_pending_signals(sandbox, kind):
    assert refused(sandbox, kind, 1000) == {"done": 1024, "errno": errno.EAGAIN}


def test_posix_message_queues(sandbox):
    """They are files of no tree that Landlock knows: there are none. Where the
    kernel has no Landlock: tests/vm, kernels."""
    assert on_host("posix-queues", 5, new="i") == {"done": 5, "errno": 0}
    assert refused(sandbox, "posix-queues", 0) == {
        "done": 0, "errno": errno.EACCES}


# 40. CPU time that no single process has.


@bombs(
    bomb("many threads", ("burn-threads", 60, 5), ("burn-threads", 60, 0.005),
         hit="CPU_TIME", **CPU_LIMIT),
    bomb("many processes", ("burn-processes", 60, 5),
         ("burn-processes", 60, 0.005), hit="CPU_TIME", **CPU_LIMIT),
    bomb("short children", ("cpu-reaped", 10**6, 0.001),
         ("cpu-reaped", 50, 0.001), hit="CPU_TIME", **CPU_LIMIT),
    bomb("children nobody waits for", ("burn-children", 10**6, 0.01),
         ("burn-children", 20, 0.01), hit="CPU_TIME", **CPU_LIMIT),
    bomb("exec chain", ("cpu-exec-chain", 0, 0.001, 0),
         ("cpu-exec-chain", 10, 0.001, 0), hit="CPU_TIME", **CPU_LIMIT),
)
def test_cpu_time(sandbox, bomb):
    bomb.check(sandbox)


# 41. Programs that wait, and that nothing but SIGKILL ends.


def waiting(name, *arguments):
    return bomb(name, arguments, ("sleep", 0.5),
                R.OUTCOME_WALL_TIME_LIMIT_EXCEEDED, "WALL_TIME", wall_time=0.7)


@bombs(
    waiting("sleeper", "sleep", 60),
    waiting("deaf sleeper", "sleep-deaf", 60),
    waiting("stopped and deaf tree", "stop-tree", 50),
    waiting("hanging in vfork", "vfork-hang"),
)
def test_waiting(sandbox, bomb):
    bomb.check(sandbox)


# 42. Crash loops.


def test_crash_loop(sandbox):
    bomb("", ("crash-loop", 0), ("crash-loop", 20), hit="CPU_TIME",
         **CPU_LIMIT).check(sandbox)


CORE_LIMIT = b"core file size 1 1 bytes"


@pytest.mark.parametrize("before", [
    "ulimit -c 0", "ulimit -Hc 0", "ulimit -c unlimited",
    "python3 -c 'import resource as r; r.setrlimit(r.RLIMIT_CORE, (0, 0))'"])
def test_the_limit_of_cores_stays(sandbox, before):
    """With any other, 0 too, the kernel starts the host's helper: core(5)."""
    script = f"{before}; grep -o 'core file size .*' /proc/self/limits"
    assert sandbox.shell(script).stdout.data.split() == CORE_LIMIT.split()


CRASHES = ["kill -SEGV $$", "ulimit -c 0; kill -SEGV $$",
           "exec python3 -c 'import os, resource as r;"
           " r.setrlimit(r.RLIMIT_CORE, (0, 0)); os.abort()'"]


def test_no_helper_of_the_host_takes_a_core(sandbox):
    with helper("kernel.core_pattern", "|{} %u") as users:
        for script in CRASHES:
            assert sandbox.shell(script).outcome == R.OUTCOME_SIGNALED
        # The control comes later, so that a helper would have had its time.
        for script in CRASHES:
            subprocess.run(["/bin/sh", "-c", script], check=False)
        wait_until(lambda: users() == ["0"] * len(CRASHES), 20)


def test_a_crash_leaves_no_core(sandbox, tmp_path):
    assert on_host("crash-loop", 1, prepare="ulimit -c unlimited",
                   cwd=tmp_path)["done"] == 1
    assert sandbox.report("crash-loop", 5)["done"] == 0
    result = sandbox.shell("sh -c 'kill -SEGV $$'; ls -A /work /tmp")
    assert result.stdout.data.split() == [b"/tmp:", b"/work:"]
