"""What a program makes the kernel read from a disk is counted for it: on cgroup
v2 by io.stat, on v1 by blkio and getrusage(2)."""

import os

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
