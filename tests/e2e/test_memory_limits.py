"""Memory at both sides of the edge, whatever it is made of."""

import pytest
from paddock.v1 import result_pb2

from harness import jobs
from harness.jobs import MIB

MEMORY = result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED
LIMIT = 64 * MIB


def test_memory_within_the_limit(api):
    result = api.probe("eat", 56 * MIB, limits=dict(memory_bytes=LIMIT))
    assert result.outcome == jobs.SUCCEEDED
    assert not result.limits_hit
    assert result.usage.oom_kills == 0


def test_memory_beyond_the_limit(api):
    result = api.probe("eat", 72 * MIB, limits=dict(memory_bytes=LIMIT))
    assert result.outcome == MEMORY
    assert jobs.limit_names(result) == {"MEMORY"}
    assert result.usage.peak_memory_bytes <= LIMIT + MIB
    assert result.usage.peak_memory_bytes > LIMIT - MIB


def test_the_kill_of_a_child_is_a_memory_ending(api):
    result = api.probe("eat-child", 72 * MIB, limits=dict(memory_bytes=LIMIT))
    assert result.outcome == MEMORY


@pytest.mark.parametrize("arguments", [
    ("eat-memfd", 72 * MIB),
    ("write-file", "/tmp/file", 72 * MIB),
    ("write-file", "/dev/shm/file", 72 * MIB),
    ("write-file", "/work/file", 72 * MIB),
])
def test_memory_of_files_counts(api, arguments):
    result = api.probe(*arguments, limits=dict(
        memory_bytes=LIMIT, workspace_bytes=128 * MIB,
        file_size_bytes=128 * MIB))
    assert result.outcome == MEMORY


def test_many_small_children_count_together(api):
    script = ("import os, time\n"
              "for i in range(8):\n"
              "  if os.fork() == 0:\n"
              "    x = bytearray(16 << 20)\n"
              "    time.sleep(3)\n"
              "    os._exit(0)\n"
              "time.sleep(2)\n")
    result = api.python(script, limits=dict(
        memory_bytes=LIMIT, processes=16, wall_time=10))
    assert result.outcome == MEMORY


@pytest.mark.parametrize("eaten", [4 * MIB, 16 * MIB, 40 * MIB])
def test_the_peak_is_right(api, eaten):
    limits = dict(memory_bytes=256 * MIB)
    api.probe("eat", 0, limits=limits)  # warms the page cache
    empty = api.probe("eat", 0, limits=limits).usage.peak_memory_bytes
    usage = api.probe("eat", eaten, limits=limits).usage
    # Page tables are one part in 512; the kernel charges in batches.
    assert abs(usage.peak_memory_bytes - empty - eaten) < eaten / 256 + MIB


def test_a_small_job_is_small(api):
    api.probe("exit", 0)
    usage = api.probe("exit", 0).usage
    assert 0 < usage.peak_memory_bytes < 2 * MIB


def test_inputs_are_not_charged_to_the_program(api):
    result = api.probe("exit", 0, inputs={"big": bytes(16 * MIB)},
                       limits=dict(memory_bytes=8 * MIB,
                                   workspace_bytes=32 * MIB))
    assert result.outcome == jobs.SUCCEEDED


def test_memory_and_another_limit_are_both_told(api):
    result = api.shell(
        "head -c 100000 /dev/zero; exec /tmp/probe eat 100000000",
        inputs={"/tmp/probe": jobs.probe("exit", 0).inputs[0].source.data},
        limits=dict(memory_bytes=LIMIT, output_bytes=10))
    assert result.outcome == MEMORY
    assert jobs.limit_names(result) == {"MEMORY", "OUTPUT"}


def test_the_next_job_has_its_memory_again(api):
    for _ in range(4):
        result = api.probe("eat", 72 * MIB, limits=dict(memory_bytes=LIMIT))
        assert result.outcome == MEMORY
        result = api.probe("eat", 56 * MIB, limits=dict(memory_bytes=LIMIT))
        assert result.outcome == jobs.SUCCEEDED
