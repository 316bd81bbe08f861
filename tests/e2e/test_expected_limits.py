"""A warm sandbox has the limits of the last job; the next job gets its own."""

import os
import time

import pytest

from harness import jobs
from harness.jobs import MIB

SMALL = dict(memory_bytes=32 * MIB, processes=4, cpus=0.25,
             workspace_bytes=MIB, workspace_inodes=8, wall_time=30)
LARGE = dict(memory_bytes=192 * MIB, processes=32, cpus=os.cpu_count(),
             workspace_bytes=16 * MIB, workspace_inodes=64, wall_time=30)


@pytest.fixture(scope="session")
def server_config():
    return {"workers": {"count": 1}}


@pytest.fixture(params=["warm", "next"])
def after(request, api):
    """Runs a job with limits, so that what follows finds a sandbox for these.

    "warm" gives the worker time to build it; "next" gives it none.
    """
    def run(limits):
        for _ in range(3):
            result = api.run("true", limits=limits)
            assert result.outcome == jobs.SUCCEEDED, result
        if request.param == "warm":
            time.sleep(0.3)
    return run


@pytest.mark.parametrize("probe, done", [
    (("eat", 160 * MIB), 160 * MIB),
    (("fork", 20), 20),
    (("write-file", "file", 12 * MIB), 12 * MIB),
    (("make-files", ".", 40), 40),
])
def test_larger_limits_after_smaller(api, after, probe, done):
    after(SMALL)
    result = api.probe(*probe, limits=LARGE)
    assert jobs.probe_report(result) == {"done": done, "errno": 0}
    assert result.outcome == jobs.SUCCEEDED


@pytest.mark.parametrize("probe, limit", [
    (("eat", 48 * MIB), "MEMORY"),
    (("fork", 8), "PROCESSES"),
    (("write-file", "file", 2 * MIB), "WORKSPACE_BYTES"),
    (("make-files", ".", 16), "WORKSPACE_INODES"),
])
def test_smaller_limits_after_larger(api, after, probe, limit):
    after(LARGE)
    result = api.probe(*probe, limits=SMALL)
    assert jobs.limit_names(result) == {limit}


def _cpus_used(api, limits):
    usage = api.probe("burn", 0.3, limits=limits).usage
    return jobs.seconds(usage.cpu_time) / jobs.seconds(usage.wall_time)


def test_a_quota_goes_with_its_job(api, after):
    after(SMALL)
    # Whatever else runs here: once of ten times it has more than that quota.
    assert any(_cpus_used(api, LARGE) > 0.4 for _ in range(10))


def test_a_quota_holds_after_a_job_without_one(api, after):
    after(LARGE)
    assert _cpus_used(api, SMALL) < 0.4
