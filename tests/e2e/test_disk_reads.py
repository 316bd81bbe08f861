"""What a program makes the kernel read from a disk is counted for it: on cgroup
v2 by io.stat, on v1 by blkio and getrusage(2). And what the kernel remembers of
a disk's names."""

import os
import time

import pytest

from harness import accounting
from harness import host
from harness import jobs
from harness.jobs import MIB

SIZE = 8 * MIB
# What names the file, and other blocks that come along with it.
BESIDE = MIB


def fill(directory):
    """An image with nothing but one file that does not compress."""
    os.mkdir(f"{directory}/etc")
    os.mkdir(f"{directory}/usr")
    with open(f"{directory}/usr/cold", "wb") as file:
        file.write(os.urandom(SIZE))


@pytest.fixture(name="cold")
def _cold():
    """An image's file that is not in memory: its path there, the least and the
    most that reading it takes from the disk, and the image's configuration. Ask
    for it before start_server: a disk of our own goes when all servers have
    ended."""
    if not host.has_own_machine():
        file = accounting.find_cold_file()
        host.need_disk_below(file.path)
        # Others on the host may keep parts of it in memory.
        yield file.path, file.size // 2, file.size + BESIDE, {}
        return
    with host.file_system(64, fill) as directory:
        yield "/usr/cold", SIZE, SIZE + BESIDE, {
            "default_image": "disk",
            "images": [{"name": "disk", "directory": directory}]}


def test_reads_from_a_disk_are_counted_and_no_others(cold, start_server):
    path, least, most, images = cold
    api = jobs.Api(start_server({"sandbox": images}).channel)
    first, second = (api.probe("map-file", path, 0) for _ in range(2))
    for result in first, second:
        assert jobs.probe_report(result)["done"] > least // 2, result
        # What can be written to is in memory.
        assert result.usage.io_write_bytes == 0
    assert least <= first.usage.io_read_bytes < most
    assert second.usage.io_read_bytes < BESIDE, "the control: it is in memory"


NAMES = 80000  # each some 470 bytes
GIVEN_UP = 5  # seconds: kNoProgress of worker/sandbox/late_memory.cc


def test_names_that_are_not_there_do_not_keep_a_worker(cold, start_server):
    """They are charged to the group until the kernel needs the memory; without
    that, a worker waits until nothing has come back for some seconds."""
    path, _, _, images = cold
    config = {"sandbox": images, "workers": {"count": 1}}
    api = jobs.Api(start_server(config).channel)
    limits = dict(memory_bytes=256 * MIB, cpu_time=20)
    result = api.probe("miss-names", os.path.dirname(path), NAMES,
                       limits=limits)
    assert jobs.probe_report(result) == {"done": NAMES, "errno": 0}, result
    begin = time.monotonic()
    assert api.probe("sleep", 0).outcome == jobs.SUCCEEDED
    assert time.monotonic() - begin < GIVEN_UP - 1
    # The control: more than a worker lets together come without waiting.
    assert result.usage.peak_memory_bytes > 20 * MIB, result.usage
