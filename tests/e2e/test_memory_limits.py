"""Memory at both sides of the edge. What it may be made of, and whether the
figures are right: tests/escape (exhaustion, honesty)."""

from paddock.v1 import result_pb2

from harness import jobs
from harness.jobs import MIB
from harness.time_scale import scaled

MEMORY = result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED
LIMIT = 64 * MIB
# The probe, as a program that a script can start.
PROBE = {"/tmp/probe": jobs.probe("exit", 0).inputs[0].source.data}


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
    assert result.usage.oom_kills >= 1


def test_the_kill_of_a_child_is_a_memory_ending(api):
    result = api.probe("eat-child", 72 * MIB, limits=dict(memory_bytes=LIMIT))
    assert result.outcome == MEMORY


def test_all_of_it_ends_not_only_what_the_kernel_chooses(api):
    """The shell is small and outlives the child; left alone it would sleep until
    the wall limit, and the outcome would be the same then."""
    result = api.shell(f"/tmp/probe eat {72 * MIB}; sleep 1000", inputs=PROBE,
                       limits=dict(memory_bytes=LIMIT, wall_time=scaled(20)))
    assert result.outcome == MEMORY
    assert jobs.limit_names(result) == {"MEMORY"}
    assert jobs.seconds(result.usage.wall_time) < scaled(5)


def test_what_stays_below_the_limit_goes_on_after_a_child(api):
    """The control."""
    result = api.shell(f"/tmp/probe eat {48 * MIB} >/dev/null; echo on",
                       inputs=PROBE, limits=dict(memory_bytes=LIMIT))
    assert result.outcome == jobs.SUCCEEDED
    assert result.stdout.data == b"on\n"


def test_inputs_are_not_charged_to_the_program(api):
    result = api.probe("exit", 0, inputs={"big": bytes(16 * MIB)},
                       limits=dict(memory_bytes=8 * MIB,
                                   workspace_bytes=32 * MIB))
    assert result.outcome == jobs.SUCCEEDED


def test_memory_and_another_limit_are_both_told(api):
    result = api.shell(
        "head -c 100000 /dev/zero; exec /tmp/probe eat 100000000",
        inputs=PROBE,
        limits=dict(memory_bytes=LIMIT, output_bytes=10))
    assert result.outcome == MEMORY
    assert jobs.limit_names(result) == {"MEMORY", "OUTPUT"}


def test_the_next_job_has_its_memory_again(api):
    for _ in range(4):
        result = api.probe("eat", 72 * MIB, limits=dict(memory_bytes=LIMIT))
        assert result.outcome == MEMORY
        result = api.probe("eat", 56 * MIB, limits=dict(memory_bytes=LIMIT))
        assert result.outcome == jobs.SUCCEEDED
