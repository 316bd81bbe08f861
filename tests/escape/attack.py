"""Runs an attack in a sandbox, and where nothing stops it as the control."""

import contextlib
import dataclasses
import errno
import json
import os
import subprocess

import pytest

from paddock.v1 import result_pb2

from harness import jobs
from harness import leftovers
from harness import paths
from harness.server import wait_until
from harness.time_scale import SCALE
import host_kernel

# What a clean program of the same slot must find: nothing of its predecessor.
_CLEAN_SCRIPT = ("echo /work/* /tmp/* /dev/shm/* /proc/[0-9]*; "
                 "echo /proc/self/fd/*")
_CLEAN_OUTPUT = (b"/work/* /tmp/* /dev/shm/* /proc/2\n"
                 b"/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 "
                 b"/proc/self/fd/3\n")
_HOST_SECONDS = 60
_START_SECONDS = 30
# From passing a limit to the answer.
SECONDS = 2
# Who starts paddockd, as harness/server.py takes it; None is root of the host.
USER = os.environ.get("PADDOCK_TESTS_USER")
# A sandbox has a single id then, not a range.
ONE_ID = USER in ("range", "single")


class Sandbox:
    """Runs programs; after each, a clean one in the same worker slot."""

    def __init__(self, api):
        self.api = api
        # The server is ready with its first worker: 0 are those to come.
        wait_until(lambda: all(self._start_times().values()), _START_SECONDS)
        self._workers = self._start_times()

    def _start_times(self):
        return {worker.id: worker.start_time.ToNanoseconds()
                for worker in self.api.workers()}

    def _programs(self):
        return {worker.id: worker.processes_run
                for worker in self.api.workers()}

    def assert_clean(self):
        """In every slot: the one that has been idle longest is next."""
        before = self._programs()
        for _ in before:
            self._assert_next_is_clean()
        after = self._programs()
        assert all(after[slot] > count for slot, count in before.items())
        assert self._start_times() == self._workers, "a worker was replaced"

    def _assert_next_is_clean(self):
        result = self.api.shell(_CLEAN_SCRIPT)
        assert result.outcome == jobs.SUCCEEDED, result
        assert result.stdout.data == _CLEAN_OUTPUT
        assert not result.stderr.data
        assert not result.limits_hit
        assert not result.HasField("violation")

    def execute(self, process):
        """Runs a Process; returns the ProcessResult."""
        result = self.api.execute(process).process
        self.assert_clean()
        return result

    def run(self, *argv, **fields):
        return self.execute(jobs.make_process(*argv, **fields))

    def shell(self, script, **fields):
        return self.run("/bin/sh", "-c", script, **fields)

    def python(self, script, **fields):
        return self.run("/usr/bin/python3", "-c", script, **fields)

    def probe(self, *arguments, **fields):
        return self.execute(jobs.probe(*arguments, **fields))

    def violation(self, *arguments, **fields):
        """(call, its number, architecture) of a probe that the filter must
        end."""
        result = self.probe(*arguments, **fields)
        assert result.outcome == result_pb2.OUTCOME_POLICY_VIOLATION, result
        assert not result.stdout.data, result
        found = result.violation
        return found.system_call, found.system_call_number, found.architecture

    def report(self, *arguments, **fields):
        """What the probe said of itself: {"done": ..., "errno": ...}."""
        result = self.probe(*arguments, **fields)
        assert result.stdout.data, result
        return jobs.probe_report(result)


def host_output(*command, **options):
    """stdout of a command that runs on the host as root."""
    # In a session of its own, so that no attack finds our terminal.
    return subprocess.run(list(map(str, command)), capture_output=True,
                          check=False, timeout=_HOST_SECONDS,
                          start_new_session=True, **options).stdout


def on_host(*arguments, new="", prepare="", terminal=None, **options):
    """The control: the probe's report where nothing stops it.

    `new` has letters of unshare(1) for the namespaces that the control gets of
    its own where it would do harm: "m" mounts, "p" pids, "u" names ...
    `prepare`: what a shell does in them first. `terminal`: a descriptor of the
    one that controls it, and is its stdin.
    """
    wrapper = [f"-{letter}" for letter in new]
    if wrapper:
        wrapper = ["unshare", *wrapper, *(["--fork"] if "p" in new else [])]
    if terminal is not None:
        wrapper += ["setsid", "--ctty", "--wait"]
        options["stdin"] = terminal
    if prepare:
        wrapper += ["sh", "-ec", f'{prepare}; exec "$@"', "sh"]
    output = host_output(*wrapper, paths.PROBE, *arguments, **options)
    assert output, f"no report of {arguments}"
    return json.loads(output)


def time_to_pass(control):
    """When what took a limit without a pause passed it, in seconds from the
    start; `control` is the result of what stayed just below it."""
    # At once, where programs run at the speed of hardware. Emulated, some three
    # times what the control did.
    return 0 if SCALE == 1 else 3 * jobs.seconds(control.usage.wall_time)


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file
                    if ":\t" in line)


def program_of(server):
    """The pid of `sleep` in a sandbox, None while there is none."""
    for pid in leftovers.descendants(server.pid):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if status_of(pid)["Name"] == "sleep":
                return pid
    return None


@dataclasses.dataclass(frozen=True)
class Calls:
    """System calls (tests/probes/call_probes.cc) and how the last must end.

    {NAME} in a call is filled in by check(), for each side its own.
    """

    name: str
    calls: tuple
    inside: int = errno.EPERM
    host: int = 0
    new: str = ""
    prepare: str = ""
    # An older kernel has no such call; `absent` is its answer. Inside too, if
    # the filter is not what refuses.
    since: tuple = (0, 0)
    absent: int = errno.ENOSYS
    filtered: bool = True
    # The call that the sandbox refuses, where it is not the last.
    refused: int = -1

    def check(self, sandbox, host=None, inside=None, **fields):
        self.check_host(**(host or {}))
        self.check_inside(sandbox, inside or {}, **fields)

    def _is_absent(self):
        return host_kernel.version() < self.since

    def _fill(self, values):
        return [call.format_map(values) for call in self.calls]

    def check_host(self, **values):
        found = on_host("calls", *self._fill(values), new=self.new,
                        prepare=self.prepare)
        wanted = self.absent if self._is_absent() else self.host
        assert found["errno"] == wanted, f"control: {found}"
        if found["errno"] != 0:
            assert found["done"] == len(self.calls) - 1, f"control: {found}"

    def check_inside(self, sandbox, values, **fields):
        found = sandbox.report("calls", *self._fill(values), **fields)
        error = self.inside
        if self._is_absent() and not self.filtered:
            error = self.absent
        done = range(len(self.calls))[self.refused] if error else len(
            self.calls)
        assert found == {"done": done, "errno": error}


def calls(name, *lines, **options):
    return Calls(name, lines, **options)


def attacks(*cases):
    """Parametrizes a test with `attack`."""
    return pytest.mark.parametrize(
        "attack", [pytest.param(case, id=case.name) for case in cases])
