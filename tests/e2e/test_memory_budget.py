"""What runs at a time fits into memory together: a process waits for its share,
and one that could never have it is refused."""

import time

import grpc
import pytest
from paddock.v1 import result_pb2

from harness import errors
from harness import jobs
from harness.jobs import MIB
from harness.server import wait_until

BUDGET = 512 * MIB
# Of what these tests run: no workspace to speak of, and no inputs.
WORKSPACE = MIB


@pytest.fixture(scope="session")
def server_config():
    return {"workers": {"count": 3},
            "requests": {"memory_budget_bytes": BUDGET,
                         "max_limits": {"memory_bytes": BUDGET,
                                        "workspace_bytes": BUDGET}}}


def sleeper(memory, seconds=30):
    return jobs.make_process(
        "/bin/sleep", str(seconds),
        limits=dict(memory_bytes=memory, workspace_bytes=WORKSPACE,
                    wall_time=60))


def admitted(server):
    for line in server.http_get("/metrics").splitlines():
        if line.startswith("paddock_memory_admitted_bytes "):
            return int(float(line.split()[1]))
    raise AssertionError("no such gauge")


def busy(api):
    return api.worker_states().count("BUSY")


def test_two_that_fit_run_at_once_and_a_third_waits(server, api):
    calls = [api.start(sleeper(BUDGET // 2 - WORKSPACE)) for _ in range(2)]
    wait_until(lambda: busy(api) == 2, 20)
    assert admitted(server) == BUDGET
    third = api.start(sleeper(MIB, seconds=0))
    # A worker is idle all the time; memory is what it waits for.
    with pytest.raises(grpc.FutureTimeoutError):
        third.result(timeout=1)
    assert busy(api) == 2
    calls.pop().cancel()
    assert third.result().result.outcome == jobs.SUCCEEDED
    assert third.result().result.queue_duration.seconds >= 1
    calls.pop().cancel()
    wait_until(lambda: admitted(server) == 0, 20)


def test_the_wait_counts_for_queue_timeout(api):
    first = api.start(sleeper(BUDGET - WORKSPACE))
    wait_until(lambda: busy(api) == 1, 20)
    request = jobs.make_request(sleeper(MIB, seconds=0))
    request.job.queue_timeout.FromMilliseconds(200)
    result = api.execution.Execute(request, timeout=20).result
    assert result.outcome == result_pb2.OUTCOME_QUEUE_TIMEOUT
    assert "memory" in result.message
    first.cancel()


def test_small_jobs_do_not_starve_a_large_one(api):
    """They overlap, so that memory for it is never free by itself."""
    wait_until(api.all_idle, 20)
    small = [api.start(sleeper(BUDGET // 4, seconds=0.5))]
    time.sleep(0.2)
    large = api.start(sleeper(BUDGET - WORKSPACE, seconds=0))
    for _ in range(30):
        small.append(api.start(sleeper(BUDGET // 4, seconds=0.5)))
        time.sleep(0.2)
        if large.done():
            break
    assert large.done()
    assert large.result().result.outcome == jobs.SUCCEEDED
    for call in small:
        assert call.result().result.outcome == jobs.SUCCEEDED


def test_what_can_never_fit_is_refused_by_name(api):
    wait_until(api.all_idle, 20)
    process = sleeper(BUDGET // 2, seconds=0)
    process.limits.workspace_bytes = BUDGET // 2
    assert api.execute(process).outcome == jobs.SUCCEEDED
    process.limits.workspace_bytes += 1
    with pytest.raises(grpc.RpcError) as caught:
        api.execute(process)
    errors.assert_invalid(caught.value, "job.process.limits.memory_bytes")
    # An input is in memory too, and that of the service.
    process.limits.workspace_bytes -= 1
    process.stdin.data = b"x"
    with pytest.raises(grpc.RpcError) as caught:
        api.execute(process)
    errors.assert_invalid(caught.value, "job.process.limits.memory_bytes")
