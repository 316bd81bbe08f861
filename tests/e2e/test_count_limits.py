"""Processes, threads, open files and stack, at both sides of the edge."""

import pytest
from paddock.v1 import result_pb2

from harness import jobs
from harness.jobs import MIB

EAGAIN, EMFILE = 11, 24
SIGSEGV = 11
PROCESSES = result_pb2.OUTCOME_PROCESS_LIMIT_EXCEEDED


@pytest.mark.parametrize("kind", ["fork", "threads"])
def test_processes_within_the_limit(api, kind):
    result = api.probe(kind, 7, limits=dict(processes=8))
    assert result.outcome == jobs.SUCCEEDED
    assert jobs.probe_report(result)["done"] == 7
    assert result.usage.peak_processes == 8
    assert not result.limits_hit


@pytest.mark.parametrize("kind", ["fork", "threads"])
def test_processes_beyond_the_limit(api, kind):
    result = api.probe(kind, 8, limits=dict(processes=8))
    assert jobs.probe_report(result) == {"done": 7, "errno": EAGAIN}
    assert result.outcome == PROCESSES
    assert jobs.limit_names(result) == {"PROCESSES"}
    assert result.exit_code == 1


def test_a_program_that_copes_with_the_limit_succeeds(api):
    result = api.shell("/tmp/probe fork 8; exit 0",
                       inputs={"/tmp/probe": jobs.probe("exit", 0)
                               .inputs[0].source.data},
                       limits=dict(processes=6))
    assert result.outcome == jobs.SUCCEEDED
    assert jobs.limit_names(result) == {"PROCESSES"}


def test_one_process_is_enough_for_a_program(api):
    result = api.probe("exit", 0, limits=dict(processes=1))
    assert result.outcome == jobs.SUCCEEDED
    result = api.probe("fork", 1, limits=dict(processes=1))
    assert jobs.probe_report(result) == {"done": 0, "errno": EAGAIN}


def test_a_fork_bomb_ends_and_the_service_goes_on(api):
    result = api.shell("f() { f | f & }; f; sleep 20",
                       limits=dict(processes=32, wall_time=1.5))
    assert "PROCESSES" in jobs.limit_names(result)
    assert api.run("/bin/true").outcome == jobs.SUCCEEDED


def test_open_files_within_the_limit(api):
    result = api.probe("open-files", 13, limits=dict(open_files=16))
    assert result.outcome == jobs.SUCCEEDED


def test_open_files_beyond_the_limit(api):
    result = api.probe("open-files", 14, limits=dict(open_files=16))
    assert jobs.probe_report(result) == {"done": 13, "errno": EMFILE}
    assert result.outcome == jobs.NONZERO_EXIT


def test_no_descriptor_is_inherited_but_the_three(api):
    result = api.shell("ls /proc/self/fd | wc -l")
    assert result.stdout.data == b"4\n"  # 0, 1, 2 and the directory itself


def test_stack_within_the_limit(api):
    result = api.probe("stack", 7 * MIB, limits=dict(stack_bytes=8 * MIB))
    assert result.outcome == jobs.SUCCEEDED


def test_stack_beyond_the_limit(api):
    result = api.probe("stack", 9 * MIB, limits=dict(stack_bytes=8 * MIB))
    assert result.outcome == jobs.SIGNALED
    assert result.term_signal == SIGSEGV


def test_a_large_stack_can_be_had(api):
    result = api.probe("stack", 100 * MIB, limits=dict(
        stack_bytes=128 * MIB, memory_bytes=256 * MIB))
    assert result.outcome == jobs.SUCCEEDED


def test_limits_cannot_be_raised_from_inside(api):
    script = ("import resource as r\n"
              "for kind in (r.RLIMIT_NOFILE, r.RLIMIT_STACK, r.RLIMIT_FSIZE):\n"
              "  try:\n"
              "    r.setrlimit(kind, (1 << 30, 1 << 30)); print('raised')\n"
              "  except (ValueError, OSError): print('refused')\n")
    result = api.python(script)
    assert result.stdout.data == b"refused\n" * 3
