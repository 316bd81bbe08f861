"""Programs whose use of CPU time and memory is known, and what is reported.

The truth comes from the program itself: CPU time from its own clocks and its
children's, memory from the bytes it was told to touch.
"""

import dataclasses
import glob
import os
import statistics

from harness import jobs
from harness.jobs import MIB
from harness.time_scale import SCALE

CPUS = os.cpu_count()
# Whichever of the two is larger. The memory control group charges each CPU in
# batches of 256 KiB.
CPU_PART, CPU_SECONDS = 0.02, 0.002
EMULATED_TRIES = 5
MEMORY_PART, MEMORY_BYTES = 0.05, MIB + CPUS * (256 << 10)
INPUT = "/work/data"


@dataclasses.dataclass(frozen=True)
class Workload:
    """A probe that knows what it uses."""
    name: str
    arguments: tuple
    # Memory only: bytes, and of the input INPUT.
    truth_bytes: int = 0
    input_bytes: int = 0

    def without_work(self):
        """The same processes: durations are floats, counts are not."""
        return dataclasses.replace(self, arguments=tuple(
            0 if isinstance(one, float) else one for one in self.arguments))

    def run(self, api):
        inputs = {INPUT: bytes(self.input_bytes)} if self.input_bytes else {}
        result = api.probe(*self.arguments, inputs=inputs, limits=dict(
            cpu_time=20, wall_time=60, processes=300, memory_bytes=256 * MIB,
            workspace_bytes=128 * MIB, file_size_bytes=128 * MIB))
        assert result.outcome == jobs.SUCCEEDED, result
        return result


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One figure beside its truth, both in seconds or both in bytes."""
    name: str
    truth: float
    reported: float
    tolerance: float

    @property
    def deviation(self):
        return self.reported - self.truth

    @property
    def good(self):
        return abs(self.deviation) <= self.tolerance


CPU = [
    Workload("user mode", ("cpu-user", 0.5)),
    Workload("kernel mode", ("cpu-kernel", 0.5)),
    Workload("threads, 4", ("cpu-threads", 4, 0.15)),
    Workload("short children, 100 x 5 ms, reaped", ("cpu-reaped", 100, 0.005)),
    Workload("short children, 100 x 5 ms, unreaped",
             ("cpu-unreaped", 100, 0.005)),
    Workload("daemons, 10 x 50 ms", ("cpu-daemons", 10, 0.05)),
    Workload("child that the end kills", ("cpu-survivor", 0.5)),
    Workload("exec chain, 50 x 10 ms", ("cpu-exec-chain", 50, 0.01, 0)),
]

_BYTES = 48 * MIB
MEMORY = [
    Workload("heap", ("hog-heap", _BYTES), _BYTES),
    Workload("populated map", ("hog-populate", _BYTES), _BYTES),
    Workload("spike, then freed", ("hog-spike", _BYTES), _BYTES),
    Workload("written and removed", ("write-remove", "/tmp/f", _BYTES), _BYTES),
    Workload("12 children of 4 MiB", ("hog-children", _BYTES), _BYTES),
    Workload("grandchild", ("hog-grandchild", _BYTES), _BYTES),
    Workload("/work", ("write-file", "/work/f", _BYTES), _BYTES),
    Workload("/tmp", ("write-file", "/tmp/f", _BYTES), _BYTES),
    Workload("/dev/shm", ("write-file", "/dev/shm/f", _BYTES), _BYTES),
    Workload("memfd", ("eat-memfd", _BYTES), _BYTES),
    Workload("shared map", ("hog-shared", _BYTES), _BYTES),
    Workload("SysV segment", ("hog-sysv", _BYTES), _BYTES),
    Workload("input, mapped and read", ("map-file", INPUT, 0), 0, _BYTES),
    Workload("input, mapped and copied", ("map-file", INPUT, 1), _BYTES,
             _BYTES),
]


def _run_cpu(api, workload):
    result = workload.run(api)
    truth = jobs.probe_report(result)["done"] * 1e-9
    return Measurement(workload.name, truth,
                       jobs.seconds(result.usage.cpu_time),
                       max(CPU_PART * truth, CPU_SECONDS))


def measure_cpu(api, workload):
    """What a program knows begins in main and ends before it does: start and
    end of each process in the kernel are reported as well. That is 1 to 2 ms
    and within the tolerance, but where the CPU is emulated: there it is 5 to
    30, and the same processes without their work tell how much. And there the
    best of some tries counts, since the host may take the CPU away in one of
    the two."""
    if SCALE == 1:
        return _run_cpu(api, workload)
    for _ in range(EMULATED_TRIES):
        beside = _run_cpu(api, workload.without_work()).deviation
        measured = _run_cpu(api, workload)
        measured = dataclasses.replace(
            measured, reported=measured.reported - beside)
        if measured.good:
            break
    return measured


def measure_memory(api, workload):
    """The truth is what the program touches; itself it is under 1 MiB."""
    reported = workload.run(api).usage.peak_memory_bytes
    return Measurement(workload.name, workload.truth_bytes, reported,
                       max(MEMORY_PART * workload.truth_bytes, MEMORY_BYTES))


def measure_smallest(api):
    """A static program that does nothing: its peak, and the most it may be."""
    api.probe("exit", 0)  # warms the page cache
    reported = api.probe("exit", 0).usage.peak_memory_bytes
    return Measurement("static program that does nothing", 0, reported, MIB)


def measure_cpu_limit(api, runs):
    """The use of a thread that burns until its limit of CPU time ends it: the
    median of `runs`. On an idle machine."""
    limit, most_over = 0.3, 0.01
    spent = []
    for _ in range(runs):
        result = api.probe("burn", 20, limits=dict(cpu_time=limit, wall_time=15))
        assert jobs.limit_names(result) == {"CPU_TIME"}, result
        spent.append(jobs.seconds(result.usage.cpu_time))
    assert min(spent) >= limit
    return Measurement(f"ended by its limit, median of {runs}", limit,
                       statistics.median(spent), most_over)


@dataclasses.dataclass(frozen=True)
class ColdFile:
    """A file that the `host` image shows and no page of which is cached."""
    path: str
    size: int


def find_cold_file():
    """Drops a large file of /usr from the page cache: a static library, which
    is mapped by nobody."""
    path = max(glob.iglob("/usr/lib/*-linux-gnu/*.a"), key=os.path.getsize)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    return ColdFile(path, os.path.getsize(path))
