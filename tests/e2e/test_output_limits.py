"""What a program prints is bounded, truncated or the end of it."""

import grpc
import pytest
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from harness import jobs
from harness import leftovers
from harness.jobs import MIB
from harness.time_scale import scaled

OUTPUT = result_pb2.OUTCOME_OUTPUT_LIMIT_EXCEEDED
KILL = process_pb2.Capture(on_overflow=process_pb2.OVERFLOW_POLICY_KILL)
TRUNCATE = process_pb2.Capture(
    on_overflow=process_pb2.OVERFLOW_POLICY_TRUNCATE)


@pytest.mark.parametrize("fd, stream", [(1, "stdout"), (2, "stderr")])
@pytest.mark.parametrize("policy", [None, TRUNCATE, KILL])
def test_output_within_the_limit(api, fd, stream, policy):
    fields = {stream: policy} if policy else {}
    result = api.probe("print", fd, 1000, limits=dict(output_bytes=1000),
                       **fields)
    assert result.outcome == jobs.SUCCEEDED
    capture = getattr(result, stream)
    assert capture.data == bytes(1000)
    assert capture.written_bytes == 1000
    assert not capture.truncated
    assert not result.limits_hit


@pytest.mark.parametrize("fd, stream", [(1, "stdout"), (2, "stderr")])
@pytest.mark.parametrize("policy", [None, TRUNCATE])
def test_output_beyond_the_limit_is_truncated(api, fd, stream, policy):
    fields = {stream: policy} if policy else {}
    result = api.probe("print", fd, 1001, limits=dict(output_bytes=1000),
                       **fields)
    assert result.outcome == jobs.SUCCEEDED
    capture = getattr(result, stream)
    assert capture.data == bytes(1000)
    assert capture.written_bytes == 1001
    assert capture.truncated
    assert jobs.limit_names(result) == {"OUTPUT"}


@pytest.mark.parametrize("fd, stream", [(1, "stdout"), (2, "stderr")])
def test_output_beyond_the_limit_kills_where_asked(api, fd, stream):
    result = api.probe("print", fd, 1 << 40, limits=dict(
        output_bytes=1000, wall_time=20), **{stream: KILL})
    assert result.outcome == OUTPUT
    assert jobs.limit_names(result) == {"OUTPUT"}
    assert result.term_signal == 9
    capture = getattr(result, stream)
    assert capture.data == bytes(1000)
    assert capture.truncated
    assert capture.written_bytes > 1000


def test_a_byte_too_much_at_the_very_end_counts(api):
    result = api.probe("print", 1, 1001, limits=dict(output_bytes=1000),
                       stdout=KILL)
    assert result.outcome == OUTPUT


def test_a_flood_that_is_truncated_goes_on(api):
    result = api.probe("print", 1, 64 * MIB, limits=dict(
        output_bytes=10, cpu_time=10, wall_time=30))
    assert result.outcome == jobs.SUCCEEDED
    assert result.stdout.written_bytes == 64 * MIB


def test_no_output_kept_is_still_counted(api):
    result = api.probe("print", 1, 500, limits=dict(output_bytes=0))
    assert result.stdout.data == b""
    assert result.stdout.written_bytes == 500
    assert result.stdout.truncated


def test_the_limit_is_for_each_stream(api):
    result = api.shell("/tmp/probe print 1 900; /tmp/probe print 2 900",
                       inputs={"/tmp/probe": jobs.probe("exit", 0)
                               .inputs[0].source.data},
                       limits=dict(output_bytes=1000))
    assert not result.stdout.truncated and not result.stderr.truncated


def test_captures_fit_the_answer(api):
    info = api.info()
    size = info.inline_budget_bytes
    limit = min(info.max_limits.output_bytes or size, size)
    result = api.shell(
        f"/tmp/probe print 1 {size}; /tmp/probe print 2 {size}",
        inputs={"/tmp/probe": jobs.probe("exit", 0).inputs[0].source.data},
        limits=dict(output_bytes=limit, cpu_time=10))
    assert result.outcome == jobs.SUCCEEDED
    assert len(result.stdout.data) + len(result.stderr.data) <= size
    assert result.stdout.written_bytes == result.stderr.written_bytes == size
    assert result.stderr.truncated


def test_output_while_discarded_has_no_limit(api):
    result = api.probe("print", 1, 10 * MIB, limits=dict(output_bytes=10),
                       stdout=process_pb2.Capture(discard=True))
    assert result.outcome == jobs.SUCCEEDED
    assert not result.limits_hit


def largest_worker_bytes(server):
    """The most memory that one of its workers ever had."""
    sizes = []
    for pid in leftovers.worker_pids(server):
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            sizes += [int(line.split()[1]) << 10 for line in file
                      if line.startswith("VmHWM:")]
    return max(sizes)


def test_workers_keep_no_more_than_an_answer_has_room_for(start_server):
    server = start_server({"workers": {"count": 1}})
    api = jobs.Api(server.channel)
    limit = 64 * MIB  # the default maximum
    room = api.info().inline_budget_bytes
    before = largest_worker_bytes(server)
    result = api.shell(
        f"head -c {limit} /dev/zero; head -c {limit} /dev/zero >&2;"
        f" head -c {room - MIB} /dev/zero > f",
        outputs=["f"], limits=dict(output_bytes=limit, cpu_time=scaled(10)))
    assert result.stdout.written_bytes == limit
    assert result.stderr.written_bytes == limit
    assert result.stdout.truncated and result.stderr.truncated
    assert not result.limits_hit
    assert len(result.stdout.data) + len(result.stderr.data) == room
    assert jobs.outcome_name(result.outcome) == "OUTPUT_ERROR"
    output, = result.outputs
    assert "inline_budget_bytes" in output.error.message
    # Each stream, in the result and as it travels.
    assert largest_worker_bytes(server) < before + 8 * room


def test_the_largest_answer_there_may_be(start_server):
    """What is kept travels from the worker in one message."""
    most = 95 * MIB
    server = start_server({"requests": {
        "inline_budget_bytes": most,
        "max_limits": {"output_bytes": 4 * most}}})
    api = jobs.Api(grpc.insecure_channel(server.address, options=[
        ("grpc.max_receive_message_length", -1)]))
    result = api.shell(
        f"head -c {2 * most} /dev/zero; head -c {2 * most} /dev/zero >&2",
        limits=dict(output_bytes=2 * most, cpu_time=scaled(20),
                    wall_time=scaled(60)))
    assert result.outcome == jobs.SUCCEEDED
    assert result.stdout.written_bytes == result.stderr.written_bytes == 2 * most
    assert len(result.stdout.data) + len(result.stderr.data) == most
