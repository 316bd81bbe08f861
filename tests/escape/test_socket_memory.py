"""Memory in the buffers of sockets on loopback: attack 34 of README.md.

Controls: the same probe just under the limit, and on the host, where nothing
stops it.
"""

import contextlib
import errno
import mmap
import os
import threading

import pytest
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from attack import on_host
from harness import jobs
from harness import own_cgroup
from harness.jobs import MIB
# pylint: disable=unused-import
from harness.resources import host_recovers, nothing_stays  # noqa: F401
from harness.server import wait_until
from harness.time_scale import SCALE

pytestmark = pytest.mark.usefixtures("nothing_stays", "host_recovers")

LIMIT, OVER = 32 * MIB, 72 * MIB
# On cgroup v1 sockets have an eighth of the limit beside it, and connections a
# few packets of 64 KiB more, with which they make progress.
SOCKETS, UNDER_SOCKETS, CONNECTION = LIMIT // 8, 3 * MIB, 128 << 10
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


@pytest.mark.parametrize("probe, open_files, slack", [
    ("hog-tcp", 64, 30 * CONNECTION), ("hog-udp", 512, 0)])
def test_memory_of_sockets_on_loopback(sandbox, probe, open_files, slack):
    control, _ = fill_sockets(sandbox, probe, UNDER_SOCKETS, open_files)
    assert control.outcome == jobs.SUCCEEDED, control
    assert UNDER_SOCKETS <= control.usage.peak_memory_bytes < LIMIT
    with socket_memory() as on_the_host:
        assert on_host(probe, OVER)["errno"] == 0
        assert on_the_host() > OVER - NOISE
    result, grown = fill_sockets(sandbox, probe, OVER, open_files)
    if own_cgroup.unified_only():
        assert result.outcome == result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED, result
        assert grown < LIMIT + NOISE
    else:
        # Full buffers kill nobody.
        report = jobs.probe_report(result)
        assert report["errno"] in (errno.EAGAIN, errno.EMFILE)
        assert report["done"] < SOCKETS + slack
        assert grown < SOCKETS + slack + NOISE
    assert result.usage.peak_memory_bytes > grown - NOISE
    assert result.usage.peak_memory_bytes > UNDER_SOCKETS


def test_connections_nobody_accepts_end_with_their_program(sandbox):
    """Until then the kernel counts them to no group."""
    result, grown = fill_sockets(sandbox, "hog-backlog", 4 * NOISE, 512)
    assert result.outcome == jobs.SUCCEEDED, result
    assert grown > NOISE
