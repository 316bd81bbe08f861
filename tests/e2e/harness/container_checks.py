"""What is checked of a paddockd in a container, whichever runtime started it."""

import dataclasses

import pytest
from paddock.v1 import enforcement_pb2

from harness import host
from harness import jobs
from harness.container import Container
from harness.container import Needs
from harness.container import OF_THE_HOST
from harness.jobs import MIB
from harness.server import StartFailed

_ENFORCED = enforcement_pb2.ENFORCEMENT_STATE_ENFORCED
_DEGRADED = enforcement_pb2.ENFORCEMENT_STATE_DEGRADED
# The two ways of deploy/CONTAINERS.md.
WAYS = {"no_added_capability": Needs(),
        "capabilities_of_the_host": Needs(capabilities=OF_THE_HOST,
                                          proc_unmasked=False)}


def without(needs=Needs(), **changes):
    return dataclasses.replace(needs, **changes)


@pytest.fixture(autouse=True)
def containers():
    """Containers get cgroups with controllers, so only cgroup v2 serves."""
    host.need_unified_controllers()


def assert_runs_jobs(runtime, needs):
    assert_serves(Container(runtime, needs),
                  in_user_namespace="CAP_SYS_ADMIN" not in needs.capabilities)


def assert_refused(runtime, needs, words):
    assert_does_not_start(Container(runtime, needs), words)


def assert_serves(container, ids_of_a_program=65536, in_user_namespace=True):
    with container.running():
        api = jobs.Api(container.channel)
        _assert_all_is_enforced(api, in_user_namespace)
        _assert_limits_hold(api)
        _assert_nothing_gets_out(api, ids_of_a_program)


def assert_does_not_start(container, words):
    with pytest.raises(StartFailed) as caught:
        with container.running():
            pass
    for word in words:
        assert word in caught.value.log, caught.value.log
    assert "died 3 times" not in caught.value.log  # said at once


def _assert_all_is_enforced(api, in_user_namespace):
    """But for what is counted for the maker of a user namespace."""
    info = api.info()
    weak = {row.layer: row.state for row in info.layers
            if row.state != _ENFORCED}
    weak.update({row.limit: row.state for row in info.limits
                 if row.state != _ENFORCED})
    assert weak == ({"user_ids": _DEGRADED} if in_user_namespace else {})


def _assert_limits_hold(api):
    limits = dict(memory_bytes=64 * MIB)
    for size, outcome in ((72 * MIB, "MEMORY_LIMIT_EXCEEDED"),
                          (56 * MIB, "SUCCEEDED")):
        result = api.probe("eat", size, limits=limits)
        assert jobs.outcome_name(result.outcome) == outcome, result
    for wanted, done in ((16, 7), (7, 7)):
        result = api.probe("fork", wanted, limits=dict(processes=8))
        assert jobs.probe_report(result)["done"] == done
    # Starting a program takes CPU time too, emulated a tenth of a second.
    for seconds, outcome in ((5, "CPU_TIME_LIMIT_EXCEEDED"),
                             (0.2, "SUCCEEDED")):
        result = api.probe("burn", seconds, limits=dict(cpu_time=0.8))
        assert jobs.outcome_name(result.outcome) == outcome, result


def _assert_nothing_gets_out(api, ids_of_a_program):
    # The control of each refusal is that the daemon itself, root of the same
    # container, did it: mounts, a user namespace, `/shared`.
    result = api.shell("cat /proc/self/uid_map; hostname; cat in > out; ls /; "
                       "ls /shared; ls /proc/1/root; echo > /usr/x; "
                       "mount -t tmpfs x /tmp; unshare -U true",
                       inputs={"in": b"42\n"}, outputs=["out"])
    ids, name, *names = result.stdout.data.decode().splitlines()
    inside, outside, count = map(int, ids.split())
    # One id is mapped to itself, by another name: worker/sandbox/id_ranges.h.
    assert count == ids_of_a_program and outside > 1000
    assert inside == (0 if count > 1 else 1000)
    assert name == "paddock"
    assert "usr" in names and "shared" not in names
    for refused in (b"'/shared'", b"'/proc/1/root'", b"/usr/x", b"mount:",
                    b"unshare:"):
        assert refused in result.stderr.data, result.stderr.data
    assert result.outputs[0].data == b"42\n"
