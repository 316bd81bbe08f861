"""Between jobs: attack 54 of README.md.

Two programs that know of each other do not meet: neither at the same time, in
two slots, nor one after the other in the same slot. The control is both of them
in one sandbox, where they do. Nor does root of the service's user namespace pay
for what they use up.
"""

import contextlib
import errno
import glob
import json
import os
import re
import time

import pytest
from paddock.v1 import process_pb2

from attack import host_output
from harness import jobs
from harness import paths
from harness.host import sysctl
from harness.jobs import MIB
from harness.server import wait_until

HOLD_SECONDS = 1.5
LIMITS = dict(open_files=2048, memory_bytes=256 * MIB)
PROBE = {"/tmp/probe": jobs.probe("exit", 0).inputs[0].source.data}
LOOPBACK = dict(network=process_pb2.NETWORK_LOOPBACK)

# What the one looks for, and what it is told in a sandbox of its own.
KINDS = {
    "file": errno.ENOENT,
    "shm": errno.ENOENT,
    "socket": errno.ENOENT,
    "abstract": errno.ECONNREFUSED,
    "tcp": errno.ECONNREFUSED,
    "udp": errno.ECONNREFUSED,
    "segment": errno.ENOENT,
    "semaphore": errno.ENOENT,
    "queue": errno.ENOENT,
    "process": errno.ENOENT,
    # Limits of a user: the one uses them up.
    "pipes": errno.ENOENT,
    "signals": errno.ENOENT,
    "watchers": errno.ENOENT,
    "flight": errno.ENOENT,
    "watches": errno.ENOENT,
    "locked": errno.ENOENT,
}
# Of watches, where a test may say how many a user has: by default there are more
# than fit into the memory of a job. paddockd uses few itself.
MOST_WATCHES = 1000
# More than the 1024 that a job may have pending, less than they and 1000 more.
ROOTS_SIGNALS = 1500


@pytest.fixture(scope="session")
def server_config():
    return {"workers": {"count": 2},
            "sandbox": {"profiles": [
                {"name": "watch", "weakenings": ["inotify"]}]}}


@pytest.fixture(autouse=True)
def _bounded_watches(request):
    bounded = request.node.name.endswith("[watches]")
    with (sysctl("fs.epoll.max_user_watches", MOST_WATCHES) if bounded
          else contextlib.nullcontext()):
        yield


def fields_of(kind):
    """What a job with this kind asks for."""
    fields = dict(limits=LIMITS, **LOOPBACK)
    if kind == "watchers":
        fields["profile"] = "watch"
    return fields


def hold(kind, seconds):
    return jobs.probe("hold", kind, seconds, **fields_of(kind))


def seek(api, kind):
    return jobs.probe_report(api.probe("seek", kind, **fields_of(kind)))


def assert_held(report):
    assert report["errno"] == 0, "the control: there is something to find"


@pytest.mark.parametrize("kind", KINDS)
def test_the_probes_meet_in_one_sandbox(api, kind):
    result = api.shell(f"/tmp/probe hold {kind} 0.5 & sleep 0.25;"
                       f"/tmp/probe seek {kind}; wait",
                       inputs=PROBE, **fields_of(kind))
    held, found = map(json.loads, result.stdout.data.splitlines())
    assert_held(held)
    assert found["errno"] == 0
    assert held["done"] < found["done"] < held["done"] + 0.5e9


@pytest.mark.parametrize("kind", KINDS)
def test_not_at_the_same_time(api, kind):
    call = api.start(hold(kind, HOLD_SECONDS))
    time.sleep(HOLD_SECONDS / 2)
    found = seek(api, kind)
    held = jobs.probe_report(call.result().result.process)
    assert_held(held)
    assert held["done"] < found["done"] < held["done"] + HOLD_SECONDS * 1e9, (
        "the control: at the same time")
    assert found["errno"] == KINDS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_not_one_after_the_other(api, kind):
    for run in (api.workers(), api.workers()):
        # The slot that has been idle longest is next: each gets its turn.
        for _ in run:
            held = api.execute(hold(kind, 0)).process
            assert_held(jobs.probe_report(held))
        for _ in run:
            assert seek(api, kind)["errno"] == KINDS[kind]


def queue_as_root(server, count):
    """By root of the service's user namespace, with a limit of his own."""
    command = ["prlimit", f"--sigpending={ROOTS_SIGNALS}", paths.PROBE,
               "queue-signals", count]
    services, ours = (os.readlink(f"/proc/{pid}/ns/user")
                      for pid in (server.pid, "self"))
    if services != ours:
        command = ["nsenter", "-t", server.pid, "-U", "-S", 0, "-G", 0,
                   *command]
    return json.loads(host_output(*command))


def signals_are_held():
    """Of the user of some process: proc(5), SigQ."""
    for status in glob.glob("/proc/[0-9]*/status"):
        with contextlib.suppress(OSError), open(status, "rb") as file:
            if re.search(rb"^SigQ:\s*1024/1024$", file.read(), re.MULTILINE):
                return True
    return False


def test_root_does_not_pay_for_a_job(api, server):
    call = api.start(hold("signals", 2 * HOLD_SECONDS))
    wait_until(signals_are_held, HOLD_SECONDS)
    assert queue_as_root(server, 1000) == {"done": 1000, "errno": 0}
    assert not call.done(), "the control: at the same time"
    assert_held(jobs.probe_report(call.result().result.process))
    beyond = queue_as_root(server, 2 * ROOTS_SIGNALS)
    assert beyond["errno"] == errno.EAGAIN, "the control: it is counted"
    assert 1000 <= beyond["done"] <= ROOTS_SIGNALS
