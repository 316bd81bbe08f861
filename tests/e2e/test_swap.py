"""A host that has swap: no program gets any of it.

Control: the same probe in a cgroup that says nothing of swap lives on it.
"""

import contextlib
import json
import os
import subprocess

from harness import host
from harness import jobs
from harness import own_cgroup
from harness import paths
from harness.jobs import MIB

SWAP, LIMIT, OVER = 256 * MIB, 32 * MIB, 72 * MIB
# The kernel swaps in clusters, and may be asked by others.
NOISE = MIB


def swapped_out():
    """Bytes since the host started."""
    with open("/proc/vmstat", encoding="ascii") as file:
        counts = dict(line.split() for line in file)
    return int(counts["pswpout"]) * os.sysconf("SC_PAGESIZE")


def memory_group():
    """A memory cgroup beside the service's, with its limit in `LIMIT`."""
    parent = own_cgroup.make()
    if parent is not None:
        return parent, "memory.max"
    with open("/proc/self/cgroup", encoding="ascii") as file:
        own, = (line.strip().split(":")[2] for line in file
                if ":memory:" in line)
    group = f"/sys/fs/cgroup/memory{own}/swap-{os.getpid()}"
    os.mkdir(group)
    return group, "memory.limit_in_bytes"


@contextlib.contextmanager
def limited_group():
    group, file_name = memory_group()
    with open(f"{group}/{file_name}", "w", encoding="ascii") as file:
        file.write(str(LIMIT))
    yield group
    os.rmdir(group)


def probe_in(group, *arguments):
    done = subprocess.run(
        [*own_cgroup.entering(group), paths.PROBE, *map(str, arguments)],
        stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


# The limit of a warm sandbox goes up and down.
CASES = (("hog-heap", LIMIT), ("hog-heap", 2 * LIMIT), ("hog-shared", LIMIT))


def test_no_program_is_swapped_out(start_server):
    with host.swap(SWAP // MIB):
        api = jobs.Api(start_server().channel)
        for probe, limit in CASES:
            before = swapped_out()
            with limited_group() as group:
                assert probe_in(group, probe, OVER)["errno"] == 0
            assert swapped_out() - before > OVER - LIMIT - NOISE

            before = swapped_out()
            limits = dict(memory_bytes=limit)
            under = api.probe(probe, limit - 5 * MIB, limits=limits)
            assert under.outcome == jobs.SUCCEEDED, under
            over = api.probe(probe, OVER, limits=limits)
            assert jobs.outcome_name(over.outcome) == "MEMORY_LIMIT_EXCEEDED"
            assert over.usage.peak_memory_bytes <= limit + MIB
            assert swapped_out() - before < NOISE
