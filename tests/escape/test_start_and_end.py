"""How a process starts and how it ends: attacks 15 and 16 of README.md, and
that a violation (attack 31) is the end of all."""

from errno import EINVAL, ENOENT, ENOTTY
import contextlib
import ctypes
import os
import re
import resource
import signal
import subprocess
import time

import pytest
from paddock.v1 import result_pb2

from attack import SECONDS
from attack import Sandbox
from attack import attacks
from attack import calls
from attack import host_output
from harness import jobs
from harness import paths
from harness.jobs import MIB
from harness.time_scale import scaled


# 15. A forged end.

@pytest.mark.parametrize("orphan, main, status", [
    ("exit 0", "exit 3", 3), ("exit 3", "exit 0", 0), ("kill -9 $$", ":", 0)])
def test_the_end_of_an_orphan_is_not_the_program_s(
        sandbox, orphan, main, status):
    result = sandbox.shell(f"(sh -c '{orphan}' & ) ; sleep 0.2; {main}")
    assert result.exit_code == status


def test_the_end_of_a_thread_is_not_the_program_s(sandbox):
    assert sandbox.probe("exit-leader", 7).exit_code == 7
    assert subprocess.call([paths.PROBE, "exit-leader", "7"]) == 7


GETPID, SWAPOFF = 39, 168
WITH_COMPANY = """
import ctypes, os, threading, time
def call():
    ctypes.CDLL(None).syscall({}, None)
    os.write(1, b'returned')
{}
time.sleep(60)
"""


@pytest.mark.parametrize("company", [
    "os.fork() or call()", "threading.Thread(target=call).start()",
    "os.fork() or (os.setsid(), os.fork() and os._exit(0), call())",
], ids=["child", "thread", "orphan"])
def test_who_breaks_a_rule_ends_all(sandbox, company):
    """Not the first process, which sleeps on; attack 31 has the calls."""
    control = sandbox.python(WITH_COMPANY.format(GETPID, company),
                             limits=dict(wall_time=scaled(1)))
    assert control.outcome == result_pb2.OUTCOME_WALL_TIME_LIMIT_EXCEEDED
    assert control.stdout.data == b"returned"
    begin = time.monotonic()
    result = sandbox.api.python(WITH_COMPANY.format(SWAPOFF, company))
    assert time.monotonic() - begin < scaled(SECONDS)
    assert result.outcome == result_pb2.OUTCOME_POLICY_VIOLATION, result
    assert result.violation.system_call == "swapoff"
    assert not result.stdout.data


RETURN_ALLOW = "prctl 3 w:0x7fff000000000006"  # one instruction
NO_NEW_PRIVS = "prctl 38 1 0 0 0"


@attacks(
    # It would get the notifications of calls that end the run.
    calls("listener", RETURN_ALLOW, NO_NEW_PRIVS, "seccomp 1 8 w:1,@0",
          inside=EINVAL),
    calls("listener_and_tsync", RETURN_ALLOW, NO_NEW_PRIVS,
          "seccomp 1 0x19 w:1,@0", inside=EINVAL),
    # Code that no limit counts, and records in the log of the host.
    calls("filter", RETURN_ALLOW, NO_NEW_PRIVS, "seccomp 1 0 w:1,@0",
          inside=EINVAL),
    calls("filter_that_logs", RETURN_ALLOW, NO_NEW_PRIVS, "seccomp 1 2 w:1,@0",
          inside=EINVAL),
    calls("filter_by_prctl", RETURN_ALLOW, NO_NEW_PRIVS, "prctl 22 2 w:1,@0",
          inside=EINVAL),
    calls("filter_of_a_socket", RETURN_ALLOW, "socket 1 1 0",
          "setsockopt $1 1 26 w:1,@0 16"),
)
def test_no_filter_of_its_own(sandbox, attack):
    attack.check(sandbox)


WITH_DESCRIPTOR = """
import os, sys
os.dup2(1, int(sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("fd", [3, 4, 5, 6, 7, 8, 9, 10, 63, 255])
def test_no_descriptor_leads_to_the_runner(sandbox, fd):
    line = f"write {fd} s:xxxxxxxx 8"
    assert host_output("python3", "-c", WITH_DESCRIPTOR, fd, paths.PROBE,
                       "calls", line).startswith(b'xxxxxxxx{"done": 1,')
    assert sandbox.report("calls", line) == {"done": 0, "errno": 9}


# 16. What a process inherits.

@attacks(
    calls("tty", "openat -100 s:/dev/tty 2", inside=ENOENT, host=6),
    calls("new_terminal", "openat -100 s:/dev/ptmx 2", inside=ENOENT),
)
def test_there_is_no_terminal(sandbox, attack):
    attack.check(sandbox)


@pytest.mark.parametrize("fd", [0, 1, 2])
def test_no_stream_is_a_terminal(sandbox, fd):
    line = f"ioctl {fd} 0x5401 z:"  # TCGETS
    assert sandbox.report("calls", line) == {"done": 0, "errno": ENOTTY}
    master, slave = os.openpty()
    control = subprocess.call([paths.PROBE, "calls", line], stdin=slave,
                              stdout=slave, stderr=slave)
    os.close(master)
    os.close(slave)
    assert control == 0


def test_session_and_group_are_its_own(sandbox):
    command = ("/bin/cat", "/proc/self/stat")
    control = subprocess.check_output(command).split()
    assert [int(field) for field in control[3:6]] == [
        os.getpid(), os.getpgid(0), os.getsid(0)]
    fields = sandbox.run(*command).stdout.data.split()
    parent, group, session, terminal = map(int, fields[3:7])
    assert (parent, group, session, terminal) == (1, 2, 2, 0)


@pytest.fixture
def odd_starter(start_server):
    """A daemon whose starter blocks, ignores and allows odd things."""
    personality = ctypes.CDLL(None).personality
    old_mask = os.umask(0)
    ignored = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    personality(0x0040000)  # ADDR_NO_RANDOMIZE
    try:
        yield start_server({"workers": {"count": 1}})
    finally:
        personality(0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        signal.signal(signal.SIGUSR2, ignored)
        os.umask(old_mask)


def test_nothing_of_the_starter_is_inherited(odd_starter):
    command = "cat /proc/self/status /proc/self/personality"
    inside = Sandbox(jobs.Api(odd_starter.channel)).shell(
        f"exec {command}").stdout.data.decode()
    control = host_output(*command.split()).decode()
    for line, odd in (("SigBlk:\t0000000000000000\n", True),
                      ("SigIgn:\t0000000000000000\n", True),
                      ("SigPnd:\t0000000000000000\n", False),
                      ("Umask:\t0022\n", True), ("\n00000000\n", True)):
        assert (line not in control) == odd, line
        assert line in inside


ODD_SOFT = {"CORE": 0, "CPU": 3600, "STACK": 4 * MIB, "MEMLOCK": 4096,
            "MSGQUEUE": 4096, "SIGPENDING": 777, "NICE": 25, "RTPRIO": 50}


@pytest.fixture
def oddly_limited_starter(start_server):
    """A daemon started with other soft limits, and with hard ones as high as
    may be: to raise them takes CAP_SYS_RESOURCE."""
    before = {}
    try:
        for name, soft in ODD_SOFT.items():
            kind = getattr(resource, f"RLIMIT_{name}")
            before[kind] = resource.getrlimit(kind)
            with contextlib.suppress(ValueError):
                resource.setrlimit(kind, (before[kind][0],
                                          resource.RLIM_INFINITY))
            most = resource.getrlimit(kind)[1]
            resource.setrlimit(kind, (
                soft if most == resource.RLIM_INFINITY else min(soft, most),
                most))
        yield start_server({"workers": {"count": 1}})
    finally:
        for kind, limits in before.items():
            resource.setrlimit(kind, limits)


def limits_of(table):
    """{name: (soft, hard)} of /proc/PID/limits."""
    rows = re.findall(r"^(Max [a-z ]+?) {2,}(\w+) +(\w+)", table, re.MULTILINE)
    return {name: tuple(float("inf") if word == "unlimited" else int(word)
                        for word in words) for name, *words in rows}


def test_no_limit_is_the_starter_s(oddly_limited_starter):
    result = Sandbox(jobs.Api(oddly_limited_starter.channel)).run(
        "/bin/cat", "/proc/self/limits", limits=dict(
            cpu_time=7, file_size_bytes=5 * MIB, stack_bytes=2 * MIB,
            processes=9, open_files=33))
    inside = limits_of(result.stdout.data.decode())
    with open(f"/proc/{oddly_limited_starter.pid}/limits",
              encoding="ascii") as file:
        control = limits_of(file.read())
    assert len(control) == 16 and inside.keys() == control.keys()
    most = {"Max cpu time": 7 + 3, "Max file size": 5 * MIB,
            "Max stack size": 2 * MIB, "Max processes": 2 * 9,
            "Max open files": 33, "Max core file size": 1,
            "Max locked memory": 64 << 10, "Max pending signals": 1024,
            "Max msgqueue size": 800 << 10, "Max nice priority": 0,
            "Max realtime priority": 0}
    for name, limits in control.items():
        if name in most:
            # What may be no higher outside is as high as that.
            limit = min(most.pop(name), limits[1])
            assert inside[name] == (limit, limit), name
            # Where nothing may be raised, these are 0 already.
            assert limits != (limit, limit) or limits == (0, 0), name
        else:  # addresses, data, pages, locks, real time: nobody sets them
            assert inside[name] == limits, name
    assert not most
