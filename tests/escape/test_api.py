"""API: attack 56 of README.md. A bad client does not hurt the others.

Attack 55, requests that are wrong, is in tests/e2e (bad_input), as are garbage
and half-open connections.
"""

import concurrent.futures
import os
import random
import struct
import time

import grpc
import pytest

import attack
from harness import http2
from harness import jobs
from harness import resources
from harness.jobs import MIB
from harness.server import wait_until

EXECUTE = "/paddock.v1.ExecutionService/Execute"
# What others wait for an answer meanwhile, at most, on the slowest host.
SECONDS = 20


@pytest.fixture
def connections_end(server, api):
    """The service holds no more than before once it has seen them close."""
    before = resources.settled(server, api)
    yield
    resources.assert_back(server, before, SECONDS)


@pytest.fixture
def others_are_served(server, api):
    """Before, and after as well: on connections of their own."""
    def check():
        begin = time.monotonic()
        for channel in (server.new_channel(),
                        server.new_channel(server.unix_address)):
            result = jobs.Api(channel).run("/bin/echo", "fine")
            assert result.stdout.data == b"fine\n"
            channel.close()
        assert time.monotonic() - begin < SECONDS
    check()
    yield check
    check()
    assert api.all_idle()


def test_messages_that_trickle(server, connections_end, others_are_served):
    """Calls that go on for ever: a byte now and then."""
    connections = [http2.Connection(server) for _ in range(100)]
    streams = []
    for connection in connections:
        stream, headers = connection.begin(EXECUTE)
        streams.append(stream)
        assert connection.send(headers + http2.frame(
            http2.DATA, stream, b"\0" + struct.pack(">I", MIB)))
    for _ in range(5):
        for connection, stream in zip(connections, streams):
            assert connection.send(http2.frame(http2.DATA, stream, b"\x0a"))
        others_are_served()
    for connection in connections:
        connection.close()


def test_calls_that_are_reset_at_once(server, connections_end,
                                      others_are_served):
    """Each is begun, or even complete, and then not wanted (rapid reset)."""
    payload = http2.message(jobs.make_request(
        jobs.make_process("/bin/sleep", "30")).SerializeToString())
    reset = struct.pack(">I", http2.CANCEL)
    connection = http2.Connection(server)
    for number in range(3000):
        stream, headers = connection.begin(EXECUTE)
        body = http2.frame(http2.DATA, stream, payload, http2.END_STREAM)
        if not connection.send(
                headers + (body if number % 10 == 0 else b"")
                + http2.frame(http2.RST_STREAM, stream, reset)):
            connection = http2.Connection(server)  # it hung up: its good right
        if number % 1000 == 0:
            others_are_served()
    connection.close()


def test_a_flood_of_pings_and_settings(server, connections_end,
                                       others_are_served):
    for kind, payload in ((http2.PING, bytes(8)), (http2.SETTINGS, b"")):
        connection = http2.Connection(server)
        block = http2.frame(kind, 0, payload) * 1000
        for _ in range(50):
            if not connection.send(block):
                break
        others_are_served()
        connection.close()


def test_answers_that_nobody_reads(server, api, connections_end,
                                   others_are_served):
    """The client allows no byte: the worker is free all the same."""
    connection = http2.Connection(
        server, [(http2.INITIAL_WINDOW_SIZE, 0)])
    payload = http2.message(jobs.make_request(jobs.make_process(
        "/usr/bin/head", "-c", str(MIB), "/dev/zero",
        limits=dict(output_bytes=MIB))).SerializeToString())
    for _ in range(30):
        stream, headers = connection.begin(EXECUTE)
        assert connection.send(headers + http2.frame(
            http2.DATA, stream, payload, http2.END_STREAM))
    others_are_served()
    wait_until(api.all_idle, SECONDS)
    connection.close()


LARGEST = 4 * MIB


def hold_messages(server, count):
    """Connections that each hold a message of the largest size but its last
    byte, as far as the server took it; and how many bytes it took."""
    connections = [http2.Connection(server) for _ in range(count)]
    for connection in connections:
        assert connection.receive(), "it was let in while there was room"
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        sent = pool.map(lambda connection: http2.send_without_end(
            connection, EXECUTE, LARGEST - 100), connections)
        return connections, sum(sent)


def test_large_messages_that_never_end(start_server):
    """All that is kept of them together is bounded, by 64 MiB and what gRPC and
    the allocator need for it; soon, for room is made while more comes in."""
    server = start_server({"requests": {"max_request_bytes": LARGEST}})
    api = jobs.Api(server.channel)
    slots = attack.Sandbox(api)
    assert api.run("/bin/true").outcome == jobs.SUCCEEDED
    before = resources.server_memory(server)
    few, sent = hold_messages(server, 10)
    assert sent == 10 * (LARGEST - 101), "the control: that many are kept"
    assert resources.server_memory(server) - before > sent / 2
    many, more = hold_messages(server, 100)
    # Where all is slow, the service stops reading before it resets any.
    assert sent + more > 64 * MIB, "the control: more than it means to keep"
    wait_until(lambda: resources.server_memory(server) - before < 130 * MIB,
               SECONDS)

    def is_served():
        try:
            return api.run("/bin/true").outcome == jobs.SUCCEEDED
        except grpc.RpcError:  # to make room it may be one of the others
            return False
    wait_until(is_served, SECONDS)
    for connection in few + many:
        connection.close()
    fits = jobs.make_process("/usr/bin/wc", "-c", stdin=bytes(3 * MIB))
    assert api.execute(fits).process.stdout.data == b"%d\n" % (3 * MIB)
    # And not for the next time either.
    wait_until(lambda: resources.server_memory(server) - before < 36 * MIB,
               SECONDS)
    slots.assert_clean()


CLIENTS, CALLS = 12, 25


def test_each_gets_its_own_answer(server, connections_end):
    """Under load, with cancelled calls and bombs in between."""
    def client(number):
        chooser = random.Random(number)
        channel = server.new_channel()
        api = jobs.Api(channel)
        for turn in range(CALLS):
            mark = os.urandom(16).hex()
            if turn % 5 == 4:
                call = api.start(jobs.make_process("/bin/sleep", "20"))
                time.sleep(chooser.uniform(0, 0.05))
                call.cancel()
                continue
            if turn % 5 == 3:
                bomb = chooser.choice(("hog-heap", "hog-populate"))
                result = api.probe(bomb, 64 * MIB, limits=dict(
                    memory_bytes=16 * MIB))
                assert result.term_signal == 9
                assert jobs.outcome_name(result.outcome) == (
                    "MEMORY_LIMIT_EXCEEDED"), result
                continue
            code = chooser.randrange(256)
            result = api.run(
                "/bin/sh", "-c", f"cat; cat in >&2; echo $MARK > out; exit {code}",
                stdin=f"i{mark}".encode(), env={"MARK": f"e{mark}"},
                inputs={"in": f"f{mark}".encode()}, outputs=["out"],
                name=f"n{mark}")
            assert (result.exit_code, result.stdout.data, result.stderr.data,
                    result.outputs[0].data, result.name) == (
                code, f"i{mark}".encode(), f"f{mark}".encode(),
                f"e{mark}\n".encode(), f"n{mark}")
        channel.close()
        return number

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        assert list(pool.map(client, range(CLIENTS))) == list(range(CLIENTS))
