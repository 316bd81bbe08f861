"""A server that was taken over breaks the protocol: the supervisor replaces the
worker that met it.

The test takes the server's end of the worker's channel and speaks in its place.
What a worker refuses is shown by tests/sandbox/captured_server_test.cc.
"""

import ctypes
import os
import socket

import pytest

from harness import jobs
from harness import leftovers
from harness.metrics import Scrape
from harness.server import wait_until
from paddock.internal.v1 import channel_pb2

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


PACKETS = {
    "garbage": b"Inonsense\xff\xff\xff",
    "cut": cancel_of_no_run()[:-1],
    "neither_run_nor_cancel": b"I",
    "memfd_left_out": b"M",
    "too_long": b"I" + bytes(60000),
    "run_without_anything": b"I" + channel_pb2.ServerMessage(
        run=channel_pb2.RunRequest(run_id=1 << 40)).SerializeToString(),
}


@pytest.mark.parametrize("packet", PACKETS.values(), ids=PACKETS.keys())
def test_the_worker_is_replaced(start_server, packet):
    server = start_server({"workers": {"count": 1}})
    api = jobs.Api(server.channel)
    first, = leftovers.worker_pids(server)
    serving = leftovers.server_pid(server)
    with take_channel(server) as channel:
        # The control: what is in order by the same way harms nobody.
        channel.send(cancel_of_no_run())
        assert api.run("/bin/true").outcome == jobs.SUCCEEDED
        assert leftovers.worker_pids(server) == [first]
        channel.send(packet)
    wait_until(lambda: leftovers.worker_pids(server) not in ([], [first]), 10)
    wait_until(api.all_idle, 10)
    assert api.run("/bin/echo", "fine").stdout.data == b"fine\n"
    assert not leftovers.is_alive(first)
    assert leftovers.server_pid(server) == serving
    assert Scrape(server).total("paddock_worker_restarts_total") == 1
    assert "(incarnation 1)" in server.log()
