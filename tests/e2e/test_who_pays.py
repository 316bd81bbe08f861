"""What a program writes is charged to the program: filling a directory ends
where the directory's limit or that of memory says, whichever comes first. What
it is given is charged to the service."""

import pytest
from paddock.v1 import result_pb2

from harness import jobs
from harness.jobs import MIB

ENOSPC = 28
ROOM = 32 * MIB  # of each directory
DIRECTORIES = ("/work", "/tmp", "/dev/shm")


@pytest.fixture(scope="session")
def server_config():
    return {"sandbox": {"tmp_bytes": ROOM, "shm_bytes": ROOM}}


def write(api, directory, size, memory):
    return api.probe("write-file", f"{directory}/file", size, limits=dict(
        memory_bytes=memory, workspace_bytes=ROOM))


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_the_directory_is_full_first(api, directory):
    result = write(api, directory, 2 * ROOM, memory=3 * ROOM)
    report = jobs.probe_report(result)
    assert report["errno"] == ENOSPC
    # The probe itself lies in /tmp.
    assert ROOM - 4 * MIB < report["done"] <= ROOM
    assert result.outcome == result_pb2.OUTCOME_DISK_LIMIT_EXCEEDED
    assert jobs.limit_names(result) == {"WORKSPACE_BYTES"}
    assert result.usage.peak_memory_bytes > ROOM - 4 * MIB


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_the_memory_is_full_first(api, directory):
    memory = ROOM // 2
    result = write(api, directory, 2 * ROOM, memory=memory)
    assert result.outcome == result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED
    assert jobs.limit_names(result) == {"MEMORY"}
    assert memory - MIB < result.usage.peak_memory_bytes <= memory + MIB


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_neither_is_full(api, directory):
    size = ROOM // 2
    result = write(api, directory, size, memory=ROOM)
    assert result.outcome == jobs.SUCCEEDED
    assert not result.limits_hit
    assert result.usage.peak_memory_bytes >= size


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_inputs_are_the_services_wherever_they_lie(api, directory):
    result = api.probe("exit", 0, inputs={f"{directory}/in": bytes(16 * MIB)},
                       limits=dict(memory_bytes=8 * MIB, workspace_bytes=ROOM))
    assert result.outcome == jobs.SUCCEEDED
    assert result.usage.peak_memory_bytes < 4 * MIB


def test_inputs_that_a_program_rewrites_stay_the_services(api):
    """Their pages are charged to whoever touched them first."""
    process = jobs.make_process(
        "/bin/sh", "-c", "dd if=/dev/zero of=in bs=1M count=16 conv=notrunc",
        limits=dict(memory_bytes=8 * MIB, workspace_bytes=ROOM))
    given = process.inputs.add(path="in", writable=True)
    given.source.data = bytes(16 * MIB)
    assert api.execute(process).outcome == jobs.SUCCEEDED
