"""A server that was taken over breaks the protocol: the supervisor replaces the
worker that met it.

The test takes the server's end of the worker's channel and speaks in its place.
What a worker refuses is shown by tests/sandbox/captured_server_test.cc.
"""

import ctypes
import errno
import fcntl
import os
import re
import socket

import pytest

from harness import jobs
from harness import leftovers
from harness.metrics import Scrape
from harness.server import wait_until
from paddock.internal.v1 import channel_pb2

F_SEAL_FUTURE_WRITE = 0x10  # which Python has no name for
SEALS = (fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW |
         F_SEAL_FUTURE_WRITE)
_PIDFD_GETFD = 438  # pidfd_getfd(2), the same on every architecture
_libc = ctypes.CDLL(None, use_errno=True)


def take_channel(server):
    """A copy of the server's end of the channel of the only worker: of its
    sockets for packets, the one that is not the supervisor's."""
    pid = leftovers.server_pid(server)
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        control, = (int(argument.partition("=")[2])
                    for argument in file.read().split("\0")
                    if argument.startswith("--control-fd="))
    pidfd = os.pidfd_open(pid)
    found = []
    for number in map(int, os.listdir(f"/proc/{pid}/fd")):
        if number == control or not os.readlink(
                f"/proc/{pid}/fd/{number}").startswith("socket:"):
            continue
        copy = _libc.syscall(_PIDFD_GETFD, pidfd, number, 0)
        assert copy >= 0, os.strerror(ctypes.get_errno())
        found.append(socket.socket(fileno=copy))
    os.close(pidfd)
    channels = [copy for copy in found
                if copy.family == socket.AF_UNIX and
                copy.type & ~socket.SOCK_NONBLOCK == socket.SOCK_SEQPACKET]
    for copy in set(found) - set(channels):
        copy.close()
    channel, = channels
    return channel


def cancel_of_no_run():
    message = channel_pb2.ServerMessage()
    message.cancel.run_id = 1 << 40
    return b"I" + message.SerializeToString()


def run_of(info, **changes):
    """A run that is in order but for `changes`, as the packet that asks for it."""
    message = channel_pb2.ServerMessage()
    message.run.run_id = 1 << 40
    process = message.run.process
    process.argv.append("/bin/true")
    process.image = info.default_image
    process.profile = "default"
    process.env["PATH"] = "/usr/bin:/bin"
    process.limits.CopyFrom(info.max_limits)
    process.limits.ClearField("idle_time")
    for name, value in changes.pop("limits", {}).items():
        setattr(process.limits, name, value)
    for name, value in changes.items():
        setattr(process, name, value)
    return b"I" + message.SerializeToString()


# What each is answered with: words that the worker says in the log.
MALFORMED = "malformed channel message"
PACKETS = {
    "garbage": (lambda info: b"Inonsense\xff\xff\xff", MALFORMED),
    "cut": (lambda info: cancel_of_no_run()[:-1], MALFORMED),
    "neither_run_nor_cancel": (lambda info: b"I", "broke the protocol"),
    "memfd_left_out": (lambda info: b"M", MALFORMED),
    "too_long": (lambda info: b"I" + bytes(60000), "was cut off"),
    "run_without_anything": (lambda info: b"I" + channel_pb2.ServerMessage(
        run=channel_pb2.RunRequest(run_id=1 << 40)).SerializeToString(),
        "process.argv"),
    "image_that_climbs": (lambda info: run_of(info, image="../.."),
                          "process.image"),
    "image_there_is_not": (lambda info: run_of(info, image="other"),
                           "unknown image"),
    "profile_nobody_enabled": (lambda info: run_of(info, profile="debug"),
                               "unknown profile"),
    "limit_above_the_maximum": (lambda info: run_of(info, limits=dict(
        processes=info.max_limits.processes + 1)), "process.limits.processes"),
}


class Captured:
    """A server with one worker, whose channel the test speaks on."""

    def __init__(self, server):
        self.server = server
        self.api = jobs.Api(server.channel)
        self.info = self.api.info()
        self.worker, = leftovers.worker_pids(server)
        self._serving = leftovers.server_pid(server)
        self.channel = take_channel(server)
        # The control: what is in order by the same way harms nobody.
        self.channel.send(cancel_of_no_run())
        most = dict(processes=self.info.max_limits.processes)
        assert self.api.run("/bin/true",
                            limits=most).outcome == jobs.SUCCEEDED
        assert leftovers.worker_pids(server) == [self.worker]

    def assert_replaced(self, words):
        """The worker ended by itself with `words`; the next one is as good."""
        server, api = self.server, self.api
        self.channel.close()
        wait_until(lambda: leftovers.worker_pids(server) not in (
            [], [self.worker]), 10)
        wait_until(api.all_idle, 10)
        assert api.run("/bin/echo", "fine").stdout.data == b"fine\n"
        denied = api.probe("unshare-user")
        assert jobs.probe_report(denied)["errno"] == errno.EPERM
        assert not leftovers.is_alive(self.worker)
        assert leftovers.server_pid(server) == self._serving
        assert Scrape(server).total("paddock_worker_restarts_total") == 1
        assert "(incarnation 1)" in server.log()
        said, = (line for line in server.log().splitlines()
                 if " error worker: " in line)
        assert words in said


@pytest.mark.parametrize("packet, words", PACKETS.values(), ids=PACKETS.keys())
def test_the_worker_is_replaced(start_server, packet, words):
    captured = Captured(start_server({"workers": {"count": 1}}))
    captured.channel.send(packet(captured.info))
    captured.assert_replaced(words)


def memfd_of(message, sealed):
    made = os.memfd_create("message", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    assert os.write(made, message) == len(message)
    if sealed:
        fcntl.fcntl(made, fcntl.F_ADD_SEALS, SEALS)
    return made


def path_to(number):
    """It may be sent on, and not be read."""
    path = os.open(f"/proc/self/fd/{number}", os.O_PATH)
    os.close(number)
    return path


# What is no sealed memfd, though a message in order is in the last two.
FOR_A_MEMFD = {
    "directory": lambda message: os.open("/", os.O_RDONLY | os.O_DIRECTORY),
    "device": lambda message: os.open("/dev/zero", os.O_RDONLY),
    "foreign_file_system": lambda message: os.open("/proc/version",
                                                   os.O_RDONLY),
    "unsealed": lambda message: memfd_of(message, sealed=False),
    "path": lambda message: path_to(memfd_of(message, sealed=True)),
}


def send_for_a_memfd(channel, descriptor):
    socket.send_fds(channel, [b"M"], [descriptor])
    os.close(descriptor)


@pytest.mark.parametrize("make", FOR_A_MEMFD.values(), ids=FOR_A_MEMFD.keys())
def test_another_descriptor_for_a_memfd(start_server, make):
    captured = Captured(start_server({"workers": {"count": 1}}))
    message = cancel_of_no_run()[1:]
    # The control: the same message is read where nobody can change it any more.
    send_for_a_memfd(captured.channel, memfd_of(message, sealed=True))
    assert captured.api.run("/bin/true").outcome == jobs.SUCCEEDED
    send_for_a_memfd(captured.channel, make(message))
    captured.assert_replaced("descriptor is not a sealed memfd")


def test_a_second_run_while_one_is_running(start_server):
    captured = Captured(start_server({"workers": {"count": 1}}))
    server, api = captured.server, captured.api
    call = api.start(jobs.make_process("/bin/sh", "-c", "sleep 2; echo done"))
    wait_until(lambda: api.worker_states() == ["BUSY"], 10)
    captured.channel.send(run_of(captured.info))
    # To the worker that is the end of the server; which, seeing that, may have it
    # killed before it has ended by itself.
    wait_until(lambda: leftovers.worker_pids(server) not in (
        [], [captured.worker]), 10)
    assert not call.done()
    assert not leftovers.is_alive(captured.worker)
    assert re.search(r"worker 0 \(incarnation 1\) "
                     r"(ended with exit status 1|was killed)", server.log())
    assert "nothing but a cancel may come while a program runs" in server.log()
    assert Scrape(server).total("paddock_worker_restarts_total") == 1
    # The job that it ran is run again.
    assert call.result().result.process.stdout.data == b"done\n"


def test_a_run_in_order_is_begun(start_server):
    """The control for the runs above: the worker takes it. It is the server,
    which never asked for it, that has the worker replaced."""
    captured = Captured(start_server({"workers": {"count": 1}}))
    captured.channel.send(run_of(captured.info))
    wait_until(lambda: leftovers.worker_pids(captured.server) not in (
        [], [captured.worker]), 10)
    assert Scrape(captured.server).value(
        "paddock_worker_restarts_total", reason="protocol_error") == 1
