"""Honesty: attacks 43 to 46 of README.md. The report is true, though a job
lies."""

import errno
import glob
import json
import mmap
import signal
import subprocess
from concurrent import futures

import pytest
from paddock.v1 import result_pb2

from harness import accounting
from harness import host
from harness import jobs
from harness.jobs import MIB
from harness.server import wait_until
from harness.time_scale import scaled

MEMORY = result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED
# The probe, as a program that a script can start.
PROBE = {"/tmp/probe": jobs.probe("exit", 0).inputs[0].source.data}


def each(workloads):
    return pytest.mark.parametrize(
        "workload", [pytest.param(workload, id=workload.name)
                     for workload in workloads])


# 43. CPU time.


@each(accounting.CPU)
def test_cpu_time_is_right(sandbox, workload):
    measured = accounting.measure_cpu(sandbox, workload)
    assert measured.truth > 0.4, "the control: there was work"
    assert measured.good, measured


@pytest.mark.parametrize("kind, larger, smaller", [
    ("cpu-user", "user_time", "system_time"),
    ("cpu-kernel", "system_time", "user_time")])
def test_the_split_tells_user_from_kernel(sandbox, kind, larger, smaller):
    usage = sandbox.probe(kind, 0.5).usage
    most, least = (jobs.seconds(getattr(usage, name))
                   for name in (larger, smaller))
    # The kernel samples it, so it is true only roughly.
    assert most > 0.4 and least < 0.1, usage
    assert most + least == pytest.approx(jobs.seconds(usage.cpu_time))


def _group_of(command):
    """The cgroup2 directory of the process that runs `command`."""
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            with open(f"{folder}/cmdline", "rb") as file:
                if file.read() != command.replace(b" ", b"\0") + b"\0":
                    continue
            with open(f"{folder}/cgroup", encoding="ascii") as file:
                path, = (line.strip().removeprefix("0::") for line in file
                         if line.startswith("0::"))
        except OSError:
            continue  # it is gone
        return f"/sys/fs/cgroup/unified{path}"
    return None


def test_cgroup_v2_counts_the_same(sandbox):
    """Where the CPU is no emulated one, and its time therefore exact."""
    host.need_v1_controllers()
    script = ("/tmp/probe cpu-user 0.5; /tmp/probe cpu-kernel 0.3;"
              " /tmp/probe cpu-reaped 20 0.015; exec sleep 1.0625")
    with futures.ThreadPoolExecutor(1) as pool:
        run = pool.submit(sandbox.api.shell, script, inputs=PROBE)
        wait_until(lambda: _group_of(b"sleep 1.0625"), 30)
        with open(_group_of(b"sleep 1.0625") + "/cpu.stat",
                  encoding="ascii") as file:
            counted = dict(line.split() for line in file)
        result = run.result()
    reported = jobs.seconds(result.usage.cpu_time)
    truth = sum(json.loads(line)["done"] * 1e-9
                for line in result.stdout.data.splitlines())
    assert truth > 1
    for figure in reported, int(counted["usage_usec"]) * 1e-6:
        assert figure == pytest.approx(truth, rel=accounting.CPU_PART)


# 44. Peak memory.


@pytest.fixture
def cold_file():
    return accounting.find_cold_file()


@each(accounting.MEMORY)
def test_peak_memory_is_right(sandbox, workload):
    accounting.measure_smallest(sandbox)  # warms the page cache
    measured = accounting.measure_memory(sandbox, workload)
    assert measured.good, measured


def test_a_tiny_job_is_tiny(sandbox):
    measured = accounting.measure_smallest(sandbox)
    assert 0 < measured.reported < measured.tolerance, measured


def test_pages_of_cold_files_are_told_apart(sandbox, cold_file):
    """Who reads a file of the image first is charged for its pages."""
    runs = [sandbox.run("/usr/bin/sha256sum", cold_file.path).usage
            for _ in range(2)]
    for cold, usage in zip((True, False), runs):
        others = usage.peak_memory_bytes - usage.file_memory_bytes
        assert others < 2 * MIB + accounting.MEMORY_BYTES
        assert (usage.file_memory_bytes > cold_file.size / 2) == cold, usage


_HELD = 16 * MIB
# Holds so many bytes, each page written, before it reads.
HOLD_AND_READ = """
import mmap, sys
held = mmap.mmap(-1, {held})
for at in range(0, {held}, mmap.PAGESIZE): held[at] = 1
with open({path!r}, 'rb', buffering=0) as file:
    while file.read(1 << 16): pass
"""


def test_what_a_program_holds_beside_cold_files_is_right(sandbox, cold_file):
    """Neither of the two hides in the other."""
    def usage_of(held):
        return sandbox.python(HOLD_AND_READ.format(
            held=held, path=cold_file.path)).usage

    usage_of(mmap.PAGESIZE)  # warms the page cache
    # The control, and what the interpreter has of its own.
    warm = usage_of(mmap.PAGESIZE)
    assert warm.file_memory_bytes < MIB, warm
    accounting.find_cold_file()
    cold = usage_of(_HELD)
    assert cold.file_memory_bytes > cold_file.size / 2, cold
    own, others = (usage.peak_memory_bytes - usage.file_memory_bytes
                   for usage in (warm, cold))
    tolerance = max(accounting.MEMORY_PART * _HELD, accounting.MEMORY_BYTES)
    assert others - own == pytest.approx(_HELD, abs=tolerance), (warm, cold)


def test_a_small_limit_bears_large_cold_files(sandbox, cold_file):
    """Their pages are reclaimed, not counted against the program."""
    limit = cold_file.size // 2
    result = sandbox.run("/usr/bin/sha256sum", cold_file.path,
                         limits=dict(memory_bytes=limit))
    assert result.outcome == jobs.SUCCEEDED
    # The control: there were so many that the group was full.
    assert result.usage.peak_memory_bytes > 0.9 * limit, result.usage


# 45. How it ended.


def test_a_kill_of_its_own_at_the_memory_limit_is_a_signal(sandbox):
    """Nearly all of the memory, then the signal that the kernel would send."""
    result = sandbox.shell("/tmp/probe hog-spike %d; kill -9 $$" % (28 * MIB),
                           inputs=PROBE, limits=dict(memory_bytes=32 * MIB))
    assert result.usage.peak_memory_bytes > 28 * MIB
    assert result.outcome == jobs.SIGNALED
    assert result.term_signal == signal.SIGKILL
    assert not result.limits_hit


@pytest.mark.parametrize("end", ["exit 0", "exit 3", "kill -11 $$",
                                 "sleep 1000"])
def test_the_memory_limit_cannot_be_talked_away(sandbox, end):
    result = sandbox.shell(f"/tmp/probe hog-heap {64 * MIB}; {end}",
                           inputs=PROBE, limits=dict(
                               memory_bytes=32 * MIB, wall_time=scaled(20)))
    assert result.outcome == MEMORY
    # By that limit, not by another one long after it.
    assert jobs.limit_names(result) == {"MEMORY"}
    assert jobs.seconds(result.usage.wall_time) < scaled(5)


def test_a_handler_does_not_hide_the_cpu_limit(sandbox):
    script = ("import signal, os\n"
              "for n in range(1, 65):\n"
              "  try: signal.signal(n, lambda *_: os._exit(0))\n"
              "  except (OSError, ValueError): pass\n"
              "while True: pass\n")
    result = sandbox.python(script, limits=dict(cpu_time=0.3))
    assert result.outcome == result_pb2.OUTCOME_CPU_TIME_LIMIT_EXCEEDED


# 46. A report of its own.


FORGER = """
import os, sys
forged = {forged!r} * 100
os.write(1, forged)
reached, refused, lost = 0, set(), set()
for fd in range(3, 1024):
    try: reached += os.write(fd, forged)
    except OSError as error: refused.add(error.errno)
for fd in range(32):
    try: reached += os.write(os.open(f'/proc/1/fd/{{fd}}', 1), forged)
    except OSError as error: lost.add(error.errno)
print(reached, *refused, *lost, file=sys.stderr)
os._exit(3)
"""


def test_a_forged_report_is_output_like_any_other(sandbox):
    forged = result_pb2.ProcessResult(
        outcome=jobs.SUCCEEDED, exit_code=0).SerializeToString()
    script = FORGER.format(forged=forged)
    # Where process 1 is one's own, its three streams and what is inherited.
    control = subprocess.run(
        ["unshare", "-p", "--fork", "--mount-proc", "/bin/sh", "-c",
         '/usr/bin/python3 -c "$1" 3>/dev/null; :', "sh", script],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, check=False)
    assert control.stdout == forged * 200
    assert control.stderr.startswith(forged * 100)
    reached = int(control.stderr.removeprefix(forged * 100).split()[0])
    assert reached >= 4 * 100 * len(forged)
    result = sandbox.python(script)
    assert result.outcome == jobs.NONZERO_EXIT
    assert result.exit_code == 3
    assert result.stdout.data == forged * 100
    assert result.stderr.data == b"0 %d %d\n" % (errno.EBADF, errno.ENOENT)
