"""CPU, wall and idle time, at both sides of the edge."""

import os
import statistics

import pytest
from paddock.v1 import result_pb2

from harness import accounting
from harness import jobs
from harness.server import wait_until

CPU = result_pb2.OUTCOME_CPU_TIME_LIMIT_EXCEEDED
WALL = result_pb2.OUTCOME_WALL_TIME_LIMIT_EXCEEDED
IDLE = result_pb2.OUTCOME_IDLE_LIMIT_EXCEEDED
SIGKILL = 9


def test_cpu_time_within_the_limit(api):
    result = api.probe("burn", 0.3, limits=dict(cpu_time=0.5))
    assert result.outcome == jobs.SUCCEEDED
    assert not result.limits_hit


def test_cpu_time_beyond_the_limit(api):
    result = api.probe("burn", 20, limits=dict(cpu_time=0.5, wall_time=15))
    assert result.outcome == CPU
    assert jobs.limit_names(result) == {"CPU_TIME"}
    assert result.term_signal == SIGKILL
    assert 0.5 <= jobs.seconds(result.usage.cpu_time) < 0.6


def test_cpu_overshoot_is_small(api):
    """Under 10 ms at the median on an idle machine, one thread burning."""
    measured = accounting.measure_cpu_limit(api, 9)
    assert measured.good, measured


@pytest.mark.parametrize("arguments", [
    ("burn-threads", 4, 5),
    ("burn-children", 400, 0.02),
])
def test_cpu_time_counts_threads_and_unreaped_children(api, arguments):
    result = api.probe(*arguments,
                       limits=dict(cpu_time=0.5, wall_time=15, processes=16))
    assert result.outcome == CPU
    assert 0.5 <= jobs.seconds(result.usage.cpu_time) < 0.7


def test_short_cpu_limit(api):
    result = api.probe("burn", 5, limits=dict(cpu_time=0.01))
    assert result.outcome == CPU


def test_wall_time_within_the_limit(api):
    result = api.probe("sleep", 0.3, limits=dict(wall_time=0.6))
    assert result.outcome == jobs.SUCCEEDED


def test_wall_time_beyond_the_limit(api):
    result = api.probe("sleep", 20, limits=dict(wall_time=0.5))
    assert result.outcome == WALL
    assert jobs.limit_names(result) == {"WALL_TIME"}
    assert result.term_signal == SIGKILL
    assert 0.5 <= jobs.seconds(result.usage.wall_time) < 0.6
    assert jobs.seconds(result.usage.cpu_time) < 0.1


def test_wall_time_of_a_program_deaf_to_signals(api):
    result = api.probe("sleep-deaf", 20, limits=dict(wall_time=0.3))
    assert result.outcome == WALL


def test_wall_time_of_a_stopped_program(api):
    result = api.shell("kill -STOP $$", limits=dict(wall_time=0.3))
    assert result.outcome == WALL


def test_idle_time_within_the_limit(api):
    result = api.probe("doze", 6, 0.2, 0.02,
                       limits=dict(idle_time=0.6, wall_time=10))
    assert result.outcome == jobs.SUCCEEDED


def test_idle_time_beyond_the_limit(api):
    result = api.probe("sleep", 20, limits=dict(idle_time=0.5, wall_time=10))
    assert result.outcome == IDLE
    assert jobs.limit_names(result) == {"IDLE_TIME"}
    assert 0.5 <= jobs.seconds(result.usage.wall_time) < 0.9


def test_a_burner_is_not_idle(api):
    result = api.probe("burn", 0.8, limits=dict(idle_time=0.3, wall_time=10))
    assert result.outcome == jobs.SUCCEEDED


def test_a_share_of_a_cpu_slows_the_program_down(api):
    def wall_time(cpus):
        result = api.probe("burn", 0.3, limits=dict(cpus=cpus, wall_time=60))
        assert result.outcome == jobs.SUCCEEDED
        return jobs.seconds(result.usage.wall_time)

    assert wall_time(0.25) > 0.8
    # The control. Other work may slow it down for a while, the limit always.
    wait_until(lambda: wall_time(1.0) < 0.8, 30)


def test_one_cpu_is_not_two(api):
    def wall_time(cpus):
        result = api.probe("burn-threads", 2, 0.4, limits=dict(
            cpus=cpus, processes=8, wall_time=20))
        assert result.outcome == jobs.SUCCEEDED
        return jobs.seconds(result.usage.wall_time)

    assert wall_time(1.0) > 0.7
    # The control, where there are two. Other work may slow it down for a while.
    if len(os.sched_getaffinity(0)) > 1:
        wait_until(lambda: wall_time(2.0) < 0.7, 60)


def test_a_share_of_a_cpu_does_not_slow_the_end_down(api):
    """What is dying does not wait for the group's next turn."""
    late = []
    for _ in range(7):
        usage = api.probe("burn", 30, limits=dict(
            cpus=0.01, wall_time=0.5)).usage
        assert jobs.seconds(usage.cpu_time) < 0.1, "the control: it waited"
        late.append(jobs.seconds(usage.wall_time) - 0.5)
    assert statistics.median(late) < 0.05, late
