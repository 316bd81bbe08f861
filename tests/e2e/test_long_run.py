"""What earlier jobs held goes although their worker is busy again."""

import os

from paddock.v1 import job_pb2
import pytest

from harness import jobs
from harness import leftovers
from harness.server import wait_until
from harness.time_scale import SCALE


@pytest.fixture(scope="session")
def server_config():
    return {"workers": {"count": 1}}


def sandbox_names():
    """Of the sandboxes whose cgroups are there, in any hierarchy."""
    return {name for name in map(os.path.basename, leftovers.cgroups())
            if name.startswith("w")}


# Also where the CPU time could be spent before one is taken down, at any moment.
@pytest.mark.parametrize("limits", [{}, {"cpu_time": 0.05 * SCALE}],
                         ids=["far", "near"])
def test_dead_sandboxes_go_while_the_next_program_runs(api, limits):
    wait_until(api.all_idle, 10)
    # Waiting one behind the other, they leave the worker no idle moment.
    short = [api.start(jobs.make_process("/bin/sleep", "0.3"))]
    wait_until(lambda: "BUSY" in api.worker_states(), 10)
    short += [api.start(jobs.make_process("/bin/sleep", "0.05"))
              for _ in range(4)]
    request = jobs.make_request(jobs.make_process(
        "/bin/sleep", "20", limits=limits))
    request.job.priority = job_pb2.PRIORITY_LOW  # the last, whichever came last
    long = api.execution.Execute.future(request, timeout=jobs.RPC_SECONDS)
    for call in short:
        assert call.result().result.outcome == jobs.SUCCEEDED
    assert not long.done()
    wait_until(lambda: len(sandbox_names()) == 1, 2)
    assert "BUSY" in api.worker_states()
    long.cancel()
    wait_until(api.all_idle, 10)
    assert api.run("/bin/true").outcome == jobs.SUCCEEDED
