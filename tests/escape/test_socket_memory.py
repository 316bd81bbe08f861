"""Memory in the buffers of sockets on loopback: attack 34 of README.md.

Controls: the same probe just under the limit, and on the host, where nothing
stops it.
"""

import contextlib
import mmap
import os
import threading

import pytest
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from attack import on_host
from harness import jobs
from harness.jobs import MIB
# pylint: disable=unused-import
from harness.resources import host_recovers, nothing_stays  # noqa: F401
from harness.server import wait_until
from harness.time_scale import SCALE

pytestmark = pytest.mark.usefixtures("nothing_stays", "host_recovers")

LIMIT, UNDER, OVER = 32 * MIB, 20 * MIB, 128 * MIB
# What a probe may send between two looks of the worker.
LOOK = 40 * MIB
# What all other sockets of the host take meanwhile; and each CPU counts 1 MiB by
# itself.
NOISE = (8 + os.cpu_count()) * MIB


@contextlib.contextmanager
def socket_memory():
    """What all sockets of the host take more than before, bytes, at most."""
    def now():
        with open("/proc/net/sockstat", encoding="ascii") as file:
            rows = [line.split() for line in file]
        return mmap.PAGESIZE * sum(int(row[row.index("mem") + 1])
                                   for row in rows if "mem" in row)

    def watch():
        while not ended.wait(0.02):
            seen.append(now() - before)

    before, seen, ended = now(), [0], threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: max(seen)
    finally:
        ended.set()
        watcher.join()
    wait_until(lambda: now() - before < NOISE, 2 * SCALE)


def fill_sockets(sandbox, probe, size, open_files):
    with socket_memory() as grown:
        process = jobs.probe(
            probe, size, network=process_pb2.NETWORK_LOOPBACK,
            limits=dict(memory_bytes=LIMIT, open_files=open_files, cpu_time=20,
                        wall_time=40))
        result = sandbox.execute(process)
        return result, grown()


@pytest.mark.parametrize("probe, open_files", [
    ("hog-tcp", 64), ("hog-udp", 512), ("hog-backlog", 64)])
def test_memory_of_sockets_on_loopback(sandbox, probe, open_files):
    control, _ = fill_sockets(sandbox, probe, UNDER, open_files)
    assert control.outcome == jobs.SUCCEEDED, control
    assert UNDER <= control.usage.peak_memory_bytes <= LIMIT
    with socket_memory() as on_the_host:
        assert on_host(probe, OVER)["errno"] == 0
        assert on_the_host() > OVER - NOISE
    result, grown = fill_sockets(sandbox, probe, OVER, open_files)
    assert result.outcome == result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED, result
    assert list(result.limits_hit) == [result_pb2.LIMIT_KIND_MEMORY]
    assert grown < LIMIT + LOOK + NOISE
    assert result.usage.peak_memory_bytes > max(UNDER, grown - LOOK - NOISE)
