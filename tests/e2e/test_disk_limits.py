"""Bytes and inodes of the workspace, and the size of one file."""

import os

import pytest

from paddock.v1 import result_pb2

from harness import jobs
from harness import paths
from harness.jobs import MIB

EFBIG, EROFS, ENOSPC = 27, 30, 28
DISK = result_pb2.OUTCOME_DISK_LIMIT_EXCEEDED
SIGXFSZ = 25


def test_bytes_within_the_limit(api):
    result = api.probe("write-file", "file", 4 * MIB,
                       limits=dict(workspace_bytes=4 * MIB))
    assert jobs.probe_report(result) == {"done": 4 * MIB, "errno": 0}


def test_bytes_beyond_the_limit(api):
    result = api.probe("write-file", "file", 4 * MIB + 1,
                       limits=dict(workspace_bytes=4 * MIB))
    assert jobs.probe_report(result) == {"done": 4 * MIB, "errno": ENOSPC}
    assert result.outcome == DISK
    assert jobs.limit_names(result) == {"WORKSPACE_BYTES"}


def test_a_full_disk_that_was_freed_again_leaves_no_trace(api):
    result = api.probe("write-remove", "file", 5 * MIB,
                       limits=dict(workspace_bytes=4 * MIB))
    assert jobs.probe_report(result)["errno"] == ENOSPC
    assert result.outcome == jobs.NONZERO_EXIT


def test_a_program_that_copes_with_a_full_disk_succeeds(api):
    result = api.shell("head -c 2000000 /dev/zero > file; exit 0",
                       limits=dict(workspace_bytes=MIB))
    assert result.outcome == jobs.SUCCEEDED
    assert jobs.limit_names(result) == {"WORKSPACE_BYTES"}


def test_inodes_at_both_sides_of_the_limit(api):
    limits = dict(workspace_inodes=20)
    made = jobs.probe_report(api.probe("make-files", ".", 100, limits=limits))
    assert made["errno"] == ENOSPC
    # The workspace's own directory is none of them.
    assert made["done"] == 20
    result = api.probe("make-files", ".", 20, limits=limits)
    assert result.outcome == jobs.SUCCEEDED
    result = api.probe("make-files", ".", 21, limits=limits)
    assert result.outcome == DISK
    assert jobs.limit_names(result) == {"WORKSPACE_INODES"}


@pytest.mark.parametrize("depth", [0, 1, 30])
def test_inodes_beside_inputs(api, depth):
    """Inputs that share directories make room for these once."""
    folder = "/".join(["d"] * depth + [""])
    inputs = {f"{folder}{i}": b"" for i in range(50)}
    limits = dict(workspace_inodes=20)
    result = api.probe("make-files", ".", 100, inputs=inputs, limits=limits)
    assert jobs.probe_report(result) == {"done": 20, "errno": ENOSPC}
    result = api.probe("make-files", ".", 19, inputs=inputs, limits=limits)
    assert result.outcome == jobs.SUCCEEDED


def test_file_size_within_the_limit(api):
    result = api.probe("write-file", "file", MIB,
                       limits=dict(file_size_bytes=MIB))
    assert result.outcome == jobs.SUCCEEDED


def test_file_size_beyond_the_limit_is_an_errno_where_the_signal_is_off(api):
    result = api.probe("write-file", "file", MIB + 1,
                       limits=dict(file_size_bytes=MIB))
    assert jobs.probe_report(result) == {"done": MIB, "errno": EFBIG}


def test_file_size_beyond_the_limit_ends_a_program_by_sigxfsz(api):
    result = api.run("/usr/bin/head", "-c", "2000000", "/dev/zero",
                     limits=dict(file_size_bytes=MIB))
    # Standard output is a pipe: no limit there.
    assert result.outcome == jobs.SUCCEEDED
    result = api.shell("exec head -c 2000000 /dev/zero > file",
                       limits=dict(file_size_bytes=MIB))
    # The kernel's signal looks like one the program sent itself.
    assert result.term_signal == SIGXFSZ
    assert result.outcome == jobs.SIGNALED
    assert jobs.limit_names(result) == {"FILE_SIZE"}


def test_file_size_zero_writes_no_file(api):
    result = api.probe("write-file", "file", 1, limits=dict(file_size_bytes=0))
    assert jobs.probe_report(result) == {"done": 0, "errno": EFBIG}
    assert api.run("/bin/echo", "still",
                   limits=dict(file_size_bytes=0)).stdout.data == b"still\n"


def test_workspace_zero_is_read_only(api):
    result = api.probe("write-file", "file", 1, limits=dict(workspace_bytes=0))
    assert jobs.probe_report(result)["errno"] == EROFS
    assert api.probe("exit", 0, limits=dict(
        workspace_bytes=0)).outcome == jobs.SUCCEEDED


def test_tmp_and_shm_are_bounded_too(start_server):
    server = start_server({"sandbox": {
        "tmp_bytes": 4 * MIB, "tmp_inodes": 64,
        "shm_bytes": 2 * MIB, "shm_inodes": 32}})
    api = jobs.Api(server.channel)
    # The probe is a file in /tmp, of whole pages; a file system's own directory
    # is one of its inodes.
    binary = -(-os.path.getsize(paths.PROBE) // 4096) * 4096
    for folder, size, inodes in (("/tmp", 4 * MIB - binary, 64 - 2),
                                 ("/dev/shm", 2 * MIB, 32 - 1)):
        for probe, most, limit in (
                (("write-file", f"{folder}/file"), size, "WORKSPACE_BYTES"),
                (("make-files", folder), inodes, "WORKSPACE_INODES")):
            result = api.probe(*probe, most)
            assert result.outcome == jobs.SUCCEEDED, result
            result = api.probe(*probe, most + 1)
            assert jobs.probe_report(result) == {"done": most, "errno": ENOSPC}
            assert result.outcome == DISK
            assert jobs.limit_names(result) == {limit}
