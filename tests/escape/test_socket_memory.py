"""Memory in the buffers of sockets on loopback: attack 34 of README.md.

Controls: the same probe just under the limit, and on the host, where nothing
stops it.
"""

import contextlib
import errno
import mmap
import os
import time

import pytest
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from attack import SECONDS
from attack import Sandbox
from attack import attacks
from attack import calls
from attack import host_output
from attack import on_host
from attack import time_to_pass
from harness import jobs
from harness.jobs import MIB
from harness.resources import assert_back
from harness.resources import growth
from harness.resources import settled
# pylint: disable=unused-import
from harness.resources import host_recovers, nothing_stays  # noqa: F401
from harness.time_scale import SCALE

pytestmark = pytest.mark.usefixtures("nothing_stays", "host_recovers")

LOOPBACK = dict(network=process_pb2.NETWORK_LOOPBACK)
LIMIT, UNDER, OVER = 32 * MIB, 20 * MIB, 192 * MIB
# What a probe may send between two looks of the worker: 10 ms of a fast CPU.
LOOK = 100 * MIB
# What all other sockets of the host take meanwhile; and each CPU counts 1 MiB by
# itself.
NOISE = (8 + os.cpu_count()) * MIB


def socket_memory():
    """Bytes that all sockets of the host take."""
    with open("/proc/net/sockstat", encoding="ascii") as file:
        rows = [line.split() for line in file]
    return mmap.PAGESIZE * sum(int(row[row.index("mem") + 1])
                               for row in rows if "mem" in row)


def watch_sockets():
    return growth(socket_memory, NOISE, 2 * SCALE)


def fill_sockets(sandbox, probe, size, open_files, control=None):
    """(result, by how much all sockets grew). With a control, the result of one
    just under the limit: within the time that passing it may take."""
    with watch_sockets() as grown:
        process = jobs.probe(
            probe, size, **LOOPBACK,
            limits=dict(memory_bytes=LIMIT, open_files=open_files, cpu_time=20,
                        wall_time=40))
        begin = time.monotonic()
        result = sandbox.api.execute(process).process
        answered = time.monotonic() - begin
        sandbox.assert_clean()
        if control is not None:
            assert answered < time_to_pass(control) + SECONDS
        return result, grown()


@pytest.mark.parametrize("probe, open_files", [
    ("hog-tcp", 128), ("hog-udp", 1024), ("hog-backlog", 128)])
def test_memory_of_sockets_on_loopback(sandbox, probe, open_files):
    control, _ = fill_sockets(sandbox, probe, UNDER, open_files)
    assert control.outcome == jobs.SUCCEEDED, control
    assert UNDER <= control.usage.peak_memory_bytes <= LIMIT
    with watch_sockets() as on_the_host:
        assert on_host(probe, OVER)["errno"] == 0
        assert on_the_host() > OVER - NOISE
    result, grown = fill_sockets(sandbox, probe, OVER, open_files, control)
    assert result.outcome == result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED, result
    assert list(result.limits_hit) == [result_pb2.LIMIT_KIND_MEMORY]
    assert grown < LIMIT + LOOK + NOISE
    assert result.usage.peak_memory_bytes > max(UNDER, grown - LOOK - NOISE)


def share_of_socket_memory(workers):
    """ShareOfSocketMemory of worker/sandbox/socket_watch.h."""
    with open("/proc/sys/net/ipv4/tcp_mem", encoding="ascii") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE // (workers + 1)


@contextlib.contextmanager
def sandbox_among(start_server, workers):
    """In a service of its own, which in the end holds no more than before."""
    server = start_server({"workers": {"count": workers}})
    api = jobs.Api(server.channel)
    before = settled(server, api)
    yield Sandbox(api)
    assert_back(server, before)


def in_time(sandbox, control, probe, size, limits, *arguments):
    """The result of what passes a limit that `control` stayed below."""
    begin = time.monotonic()
    result = sandbox.api.probe(probe, size, *arguments, **LOOPBACK,
                               limits=limits)
    answered = time.monotonic() - begin
    sandbox.assert_clean()
    assert answered < time_to_pass(control) + SECONDS
    return result


def test_no_program_takes_the_host_its_socket_memory(start_server):
    """Whatever its own limit: beyond net.ipv4.tcp_mem the kernel resets the
    connections of everybody."""
    workers = 8
    share = share_of_socket_memory(workers)
    limits = dict(memory_bytes=2 * (share + LOOK), open_files=1024, cpu_time=20,
                  wall_time=40)
    with sandbox_among(start_server, workers) as sandbox:
        control = sandbox.probe("hog-tcp", share // 2, **LOOPBACK,
                                limits=limits)
        assert control.outcome == jobs.SUCCEEDED, control
        assert control.usage.peak_memory_bytes >= share // 2
        over = 3 * share // 2 + LOOK
        result = in_time(sandbox, control, "hog-tcp", over, limits)
        assert result.outcome == result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED, (
            result)
        assert share < result.usage.peak_memory_bytes < limits["memory_bytes"]
        assert "net.ipv4.tcp_mem" in result.message


def share_of_connected(workers):
    """ShareOfConnected of worker/sandbox/socket_watch.h."""
    with open("/proc/sys/net/ipv4/tcp_max_orphans", encoding="ascii") as file:
        return int(file.read()) // (workers + 1)


def orphans():
    """TCP sockets of the whole host that no descriptor leads to any more."""
    with open("/proc/net/sockstat", encoding="ascii") as file:
        row, = (line.split() for line in file if line.startswith("TCP:"))
    return int(row[row.index("orphan") + 1])


@pytest.mark.parametrize("how", ["unsent", "lingering"])
def test_no_program_takes_the_host_its_orphans(start_server, how):
    """Beyond net.ipv4.tcp_max_orphans the kernel resets what anybody closes
    with data on its way. A connection has two sockets, and one orphan."""
    workers, few = 8, 100
    share = share_of_connected(workers)
    limits = dict(memory_bytes=512 * MIB, open_files=64, cpu_time=20,
                  wall_time=40)
    with growth(orphans, few, 2 * SCALE) as grown:
        assert on_host("hog-orphans", share, how)["errno"] == 0
        assert grown() > share - few
    with sandbox_among(start_server, workers) as sandbox:
        with growth(orphans, few, 2 * SCALE) as grown:
            control = sandbox.probe("hog-orphans", share // 2, how, **LOOPBACK,
                                    limits=limits)
            assert control.outcome == jobs.SUCCEEDED, control
            assert jobs.probe_report(control) == {
                "done": share // 2, "errno": 0}
            assert share // 2 - few < grown()
        with growth(orphans, few, 2 * SCALE) as grown:
            result = in_time(sandbox, control, "hog-orphans", 4 * share, limits,
                             how)
            assert result.outcome == result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED, (
                result)
            assert "net.ipv4.tcp_max_orphans" in result.message
            # Half of its share, and what it made until it was seen: on a busy
            # host more than twice its share. Unseen it would be all of it.
            assert grown() < 3 * share


UDP, UDP6, TCP = "socket 2 2 0", "socket 10 2 0", "socket 2 1 0"
# 127.0.0.1, port 9: three ways to send "x" there.
THERE = "i:0x09000002,0x0100007f 16"
MORE = 0x8000


def option(name, socket, level, number, value, inside):
    return calls(name, socket, f"setsockopt $0 {level} {number} {value}",
                 inside=inside, new="n", prepare="ip link set lo up")


@attacks(
    calls("cork", UDP, f"sendto $0 s:x 1 {MORE} {THERE}",
          inside=errno.EOPNOTSUPP),
    calls("cork_message", UDP, f"connect $0 {THERE}", "sendmsg $0 z: "
          f"{MORE}", inside=errno.EOPNOTSUPP),
    calls("cork_messages", UDP, f"connect $0 {THERE}",
          f"sendmmsg $0 z: 1 {MORE}", inside=errno.EOPNOTSUPP),
    option("cork_option", UDP, 17, 1, "i:1 4", errno.ENOPROTOOPT),
    option("encapsulation", UDP, 17, 100, "i:3 4", errno.ENOPROTOOPT),
    option("zero_copy", TCP, 1, 60, "i:1 4", errno.EOPNOTSUPP),
    option("timestamps", UDP, 1, 37, "i:2 4", errno.ENOPROTOOPT),
    option("timestamps_new", UDP, 1, 65, "i:2 4", errno.ENOPROTOOPT),
    # A control message: the hop limit, 64.
    option("controls", UDP6, 41, 6, "i:20,0,41,52,64,0 24", errno.ENOPROTOOPT),
    # A label that the kernel chooses, for ::1.
    option("flow_label", UDP6, 41, 32, "i:0,0,0,0x1000000,0,0x1ff00,0,0 32",
           errno.ENOPROTOOPT),
    # Group 225.0.0.1 on interface 1; source 127.0.0.1.
    option("group", UDP, 0, 35, "i:0x010000e1,0,1 12", errno.ENODEV),
    option("group_of_a_source", UDP, 0, 39,
           "i:0x010000e1,0x0100007f,0x0100007f 12", errno.ENODEV),
    option("group_of_any_family", UDP, 0, 42,
           "i:1,0,2,0x010000e1 136", errno.ENODEV),
    option("group6", UDP6, 41, 20, "i:0x02ff,0,0,0x1000000,1 20",
           errno.ENODEV),
    option("group6_of_any_family", UDP6, 41, 42,
           "i:1,0,10,0,0x02ff,0,0,0x1000000 136", errno.ENODEV),
)
def test_no_memory_of_sockets_beside_what_is_counted(sandbox, attack):
    attack.check(sandbox, **LOOPBACK)


KEEPS_ERRORS = """
import socket
for family, level, option in ((2, 0, 11), (10, 41, 25)):
    with socket.socket(family, socket.SOCK_DGRAM) as it:
        it.setsockopt(level, option, 1)
        print(it.getsockopt(level, option))
"""


def test_no_socket_keeps_what_it_failed_to_send(sandbox):
    assert host_output("python3", "-c", KEEPS_ERRORS) == b"1\n1\n"
    result = sandbox.python(KEEPS_ERRORS, **LOOPBACK)
    assert result.stdout.data == b"0\n0\n"


TIMESTAMP = """
import socket, struct
asked = [(socket.SOL_SOCKET, 37, struct.pack("I", 2))]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
    it.sendmsg([b"x" * 1000], asked, 0, ("127.0.0.1", 9))
    # How much its queues hold, the one of errors too.
    print(struct.unpack("9I", it.getsockopt(1, 55, 36))[0] > 0)
"""
# Of these bytes, before anybody looks at what they say.
CONTROLS = """
import socket, sys
near, far = socket.socketpair()
try:
    near.sendmsg([b"x"], [(77, 1, bytes(int(sys.argv[1])))])
    print(0)
except OSError as error:
    print(error.errno)
"""
CONTROLS_MAXIMUM = 20480


def maximum_of(name, new=()):
    """net.core's of the host, or of a network namespace, where it has one."""
    output = host_output(*new, "cat", f"/proc/sys/net/core/{name}")
    return int(output or -1)


def test_no_message_stays_for_a_timestamp(sandbox):
    own = maximum_of("tstamp_allow_data", ["unshare", "-n"]) >= 0
    assert host_output("python3", "-c", TIMESTAMP, user=65534) == b"True\n"
    # Not every kernel lets a network namespace have its own: SECURITY.md.
    expected = b"False\n" if own else b"True\n"
    assert sandbox.python(TIMESTAMP, **LOOPBACK).stdout.data == expected


def test_memory_of_messages_that_stay_for_a_timestamp(sandbox):
    own = maximum_of("tstamp_allow_data", ["unshare", "-n"]) >= 0
    assert on_host("hog-timestamps", OVER)["errno"] == 0
    if own:
        result, _ = fill_sockets(sandbox, "hog-timestamps", OVER, 512)
        assert jobs.probe_report(result) == {"done": 0, "errno": errno.EAGAIN}
        return
    control, _ = fill_sockets(sandbox, "hog-timestamps", UNDER, 512)
    assert control.outcome == jobs.SUCCEEDED, control
    assert control.usage.peak_memory_bytes >= UNDER
    result, _ = fill_sockets(sandbox, "hog-timestamps", OVER, 512, control)
    assert result.outcome == result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED, result
    assert result.usage.peak_memory_bytes > LIMIT


def test_controls_of_a_message(sandbox):
    under, over = CONTROLS_MAXIMUM - 100, CONTROLS_MAXIMUM + 100
    own = maximum_of("optmem_max", ["unshare", "-n"]) >= 0
    for size in (under, over):
        fits = maximum_of("optmem_max") > size
        assert host_output("python3", "-c", CONTROLS, size) == (
            b"%d\n" % (0 if fits else errno.ENOBUFS))
        fits = size == under if own else fits
        assert sandbox.run("/usr/bin/python3", "-c", CONTROLS,
                           str(size)).stdout.data == (
            b"%d\n" % (0 if fits else errno.ENOBUFS))
