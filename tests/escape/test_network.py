"""Network: attacks 21 to 24 of README.md."""

from errno import (EACCES, EAFNOSUPPORT, ECONNREFUSED, EINPROGRESS, ENETUNREACH,
                   ENOENT, EOPNOTSUPP, EPERM,
                   EPROTONOSUPPORT, ESOCKTNOSUPPORT)
import contextlib
import os
import socket
import tempfile

import pytest

from attack import attacks
from attack import calls
from attack import host_output
from attack import on_host
from host_kernel import answer_to_ping_socket
from host_kernel import answer_to_socket
from harness import jobs
from paddock.v1 import process_pb2

LOOPBACK = dict(network=process_pb2.NETWORK_LOOPBACK)
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET = 1, 2, 10, 16, 17
STREAM, DGRAM, RAW, SEQPACKET = 1, 2, 3, 5
TCP, UDP = f"socket {AF_INET} {STREAM} 0", f"socket {AF_INET} {DGRAM} 0"
TCP_NOW = f"socket {AF_INET} {STREAM | os.O_NONBLOCK} 0"
TCP6 = f"socket {AF_INET6} {STREAM} 0"


def _inet(address, port):
    word = int.from_bytes(socket.inet_aton(address), "little")
    return f"i:{AF_INET | socket.htons(port) << 16},{word} 16"


def _inet6(address, port):
    raw = socket.inet_pton(socket.AF_INET6, address)
    words = [int.from_bytes(raw[i:i + 4], "little") for i in range(0, 16, 4)]
    return (f"i:{AF_INET6 | socket.htons(port) << 16},0,"
            f"{','.join(map(str, words))},0 28")


# 21. Interfaces and routes.

def test_there_is_no_interface_but_loopback(sandbox):
    script = "tail -n +3 /proc/self/net/dev | cut -d: -f1 | tr -d ' '"
    for fields in ({}, LOOPBACK):
        assert sandbox.shell(script, **fields).stdout.data == b"lo\n"
    assert set(host_output("/bin/sh", "-c", script).split()) >= {b"lo"}


ROUTES = [path for path in ("/proc/self/net/route",
                            "/proc/self/net/ipv6_route")
          if os.path.exists(path)]
RTF_REJECT = 0x200
HAS_IPV6 = len(ROUTES) == 2
MADE = "ip link set lo up; ip route add default dev lo;"
MADE6 = "ip -6 address add 2001:db8::1 dev lo;" if HAS_IPV6 else ""


def _routes(listing):
    """(destination, device) of each that leads anywhere."""
    found = set()
    for line in listing.decode().splitlines():
        words = line.split()
        if len(words) == 11:
            found.add((words[1], words[0]))
        elif not int(words[8], 16) & RTF_REJECT:
            found.add((words[0], words[9]))
    return found - {("Destination", "Iface")}


def test_there_is_no_route(sandbox):
    itself = {("0" * 31 + "1", "lo")} if HAS_IPV6 else set()
    made = {("0" * 8, "lo")}
    if HAS_IPV6:
        made.add(("20010db8" + "0" * 23 + "1", "lo"))
    control = host_output("unshare", "-n", "sh", "-ec",
                          f"{MADE} {MADE6} cat {' '.join(ROUTES)}")
    assert _routes(control) >= made | itself
    for fields, wanted in ({}, set()), (LOOPBACK, itself):
        result = sandbox.run("/bin/cat", *ROUTES, **fields)
        assert result.outcome == jobs.SUCCEEDED, result
        assert _routes(result.stdout.data) == wanted


LO = 0x6f6c


@attacks(
    calls("lo_down", UDP, f"ioctl $0 0x8914 i:{LO},0,0,0,0", new="n"),
    calls("address", UDP, f"ioctl $0 0x8916 i:{LO},0,0,0,2,0x0100000a",
          new="n"),
    calls("mtu", UDP, f"ioctl $0 0x8922 i:{LO},0,0,0,1500", new="n"),
    calls("mark", UDP, "setsockopt $0 1 36 i:1 4"),
    calls("priority", UDP, "setsockopt $0 1 12 i:7 4"),
    calls("force_buffer", UDP, "setsockopt $0 1 33 i:0x10000000 4"),
    calls("transparent", TCP, "setsockopt $0 0 19 i:1 4"),
    calls("repair", TCP, "setsockopt $0 6 19 i:1 4"),
    calls("routing", f"socket {AF_INET} {STREAM} 0", "ioctl $0 0x890b z:",
          host=EAFNOSUPPORT, new="n"),
    calls("low_port", TCP, f"bind $0 {_inet('127.0.0.1', 80)}", inside=EACCES,
          new="n"),
)
def test_loopback_is_not_reconfigured(sandbox, attack):
    attack.check(sandbox, **LOOPBACK)


# The host's own network may have no way out: one that is made has.
ROUTED = dict(new="n", prepare="ip link set lo up; ip route add default dev lo;"
              "ip -6 route add default dev lo")


@attacks(
    calls("udp", UDP, f"connect $0 {_inet('192.0.2.1', 53)}",
          inside=ENETUNREACH, **ROUTED),
    calls("tcp", TCP_NOW, f"connect $0 {_inet('192.0.2.1', 80)}",
          inside=ENETUNREACH, host=EINPROGRESS, **ROUTED),
    calls("metadata", TCP_NOW, f"connect $0 {_inet('169.254.169.254', 80)}",
          inside=ENETUNREACH, host=EINPROGRESS, **ROUTED),
    calls("broadcast", UDP, "setsockopt $0 1 6 i:1 4",
          f"sendto $0 s:x 1 0 {_inet('255.255.255.255', 9)}",
          inside=ENETUNREACH, **ROUTED),
    calls("udp6", f"socket {AF_INET6} {DGRAM} 0",
          f"connect $0 {_inet6('2001:db8::1', 53)}", inside=ENETUNREACH,
          **ROUTED),
    # What is within reach.
    calls("itself", UDP, f"connect $0 {_inet('127.0.0.1', 9)}", inside=0),
)
def test_nothing_is_reached_from_loopback(sandbox, attack):
    attack.check(sandbox, **LOOPBACK)


# 22. Servers on the host's loopback.

@pytest.fixture(params=["grpc", "http", "tcp", "tcp6", "udp"])
def listener(server, request):
    """(family, type, address) of something that listens on the host."""
    ports = {"grpc": server.ready["grpc_port"],
             "http": server.ready["http_port"]}
    kind = request.param
    if kind in ports:
        yield AF_INET, STREAM, _inet("127.0.0.1", ports[kind])
        return
    family = socket.AF_INET6 if kind == "tcp6" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp"
                       else socket.SOCK_STREAM) as own:
        own.bind(("::1" if kind == "tcp6" else "127.0.0.1", 0))
        if kind != "udp":
            own.listen()
        port = own.getsockname()[1]
        address = (_inet6("::1", port) if kind == "tcp6"
                   else _inet("127.0.0.1", port))
        yield int(family), int(own.type), address


def test_no_server_of_the_host_is_reached(sandbox, listener):
    family, kind, address = listener
    # A datagram's refusal comes with the second.
    lines = [f"socket {family} {kind} 0", f"connect $0 {address}",
             "sendto $0 s:x 1 0x4000 0 0", "sendto $0 s:x 1 0x4000 0 0"]
    assert on_host("calls", *lines)["errno"] == 0
    assert sandbox.report("calls", *lines) == {
        "done": 0, "errno": EAFNOSUPPORT}
    inside = sandbox.report("calls", *lines, **LOOPBACK)
    assert inside == {"done": 1 if kind == STREAM else 3,
                      "errno": ECONNREFUSED}


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.2", "127.1.2.3"])
def test_no_other_name_of_loopback_is_the_host_s(sandbox, address):
    with socket.socket() as own:
        own.bind(("0.0.0.0", 0))
        own.listen()
        lines = [TCP, f"connect $0 {_inet(address, own.getsockname()[1])}"]
        assert on_host("calls", *lines)["errno"] == 0
        assert sandbox.report("calls", *lines, **LOOPBACK) == {
            "done": 1, "errno": ECONNREFUSED}


def test_a_mapped_address_is_not_the_host_s(sandbox, server):
    address = _inet6("::ffff:127.0.0.1", server.ready["grpc_port"])
    lines = [TCP6, f"connect $0 {address}"]
    assert on_host("calls", *lines)["errno"] == 0
    assert sandbox.report("calls", *lines, **LOOPBACK)["errno"] == ECONNREFUSED


def test_loopback_is_there_only_where_asked(sandbox):
    lines = [TCP, f"bind $0 {_inet('127.0.0.1', 0)}", "listen $0 1"]
    assert sandbox.report("calls", *lines)["errno"] == EAFNOSUPPORT
    assert sandbox.report("calls", *lines, **LOOPBACK)["errno"] == 0


# 23. Unix sockets of the host.

@contextlib.contextmanager
def unix_socket(kind, address):
    with socket.socket(socket.AF_UNIX, kind) as own:
        own.bind(address)
        if kind != socket.SOCK_DGRAM:
            own.listen()
        yield


@pytest.mark.parametrize("kind", [STREAM, DGRAM, SEQPACKET])
@pytest.mark.parametrize("where", ["path", "abstract"])
def test_no_unix_socket_of_the_host_is_reached(sandbox, kind, where):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        name = path if where == "path" else f"@{path}"
        length = 110 if where == "path" else 3 + len(path)
        lines = [f"socket {AF_UNIX} {kind} 0", f"connect $0 u:{name} {length}"]
        with unix_socket(kind, path if where == "path" else f"\0{path}"):
            os.chmod(folder, 0o755)
            assert on_host("calls", *lines)["errno"] == 0
            for fields in ({}, LOOPBACK):
                assert sandbox.report("calls", *lines, **fields) == {
                    "done": 1,
                    "errno": ENOENT if where == "path" else ECONNREFUSED}


@pytest.mark.parametrize("before", ["", "/proc/self/root", "/tmp/../../..",
                                    "/proc/1/root"])
def test_the_socket_of_the_service_is_not_reached(
        sandbox, server, sleeper, before):
    path = before + server.ready["unix_socket"]
    line = "connect $0 u:{} 110"
    host = path.replace("/1/", f"/{sleeper}/")
    assert on_host("calls", f"socket {AF_UNIX} {STREAM} 0",
                   line.format(host))["errno"] == 0
    assert sandbox.report("calls", f"socket {AF_UNIX} {STREAM} 0",
                          line.format(path))["errno"] == ENOENT


def test_no_socket_of_the_host_is_listed(sandbox):
    script = "tail -n +2 /proc/self/net/unix"
    assert not sandbox.shell(script).stdout.data
    assert host_output("/bin/sh", "-c", script)


# 24. Families, types and protocols.

ON_EVERY_HOST = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET}


@pytest.mark.parametrize("family", range(47))
def test_every_other_family_is_refused(sandbox, family):
    works = False
    for kind in (STREAM, DGRAM, RAW):
        line = f"socket {family} {kind} 0"
        works |= on_host("calls", line)["errno"] == 0
        inside = sandbox.report("calls", line)["errno"]
        if family != AF_UNIX:
            assert inside == EAFNOSUPPORT
        else:
            assert inside == (EPERM if kind == RAW else 0)
    assert works or family not in ON_EVERY_HOST


@pytest.mark.parametrize("protocol", [*range(23), 0x100])
def test_no_netlink(sandbox, protocol):
    line = f"socket {AF_NETLINK} {RAW} {protocol}"
    if protocol in (0, 15):  # routes and events, on every host
        assert on_host("calls", line)["errno"] == 0
    for fields in ({}, LOOPBACK):
        assert sandbox.report("calls", line, **fields)["errno"] == EAFNOSUPPORT


@attacks(
    # The kernel takes the low half of a number only, and so must the filter.
    calls("netlink_high", f"socket {1 << 32 | AF_NETLINK} {RAW} 0",
          inside=EAFNOSUPPORT),
    calls("packet_high", f"socket {1 << 63 | AF_PACKET} {RAW} 0",
          inside=EAFNOSUPPORT),
    calls("raw_type_high", f"socket {AF_UNIX} {1 << 32 | RAW} 0"),
    calls("unix_high", f"socket {1 << 32 | AF_UNIX} {1 << 32 | STREAM} 0",
          inside=0),
    calls("type_flags", f"socket {AF_NETLINK} {RAW | 0o2004000} 0",
          inside=EAFNOSUPPORT),
    calls("unix_protocol", f"socket {AF_UNIX} {STREAM} 1"),
    calls("pair_raw", f"socketpair {AF_UNIX} {RAW} 0 z:"),
    calls("pair_of_family", f"socketpair {AF_NETLINK} {RAW} 0 z:",
          inside=EAFNOSUPPORT, host=EOPNOTSUPP),
)
def test_no_flag_makes_another_socket(sandbox, attack):
    attack.check(sandbox)


# Name; family, type and protocol of the socket; how the kernel calls it, and
# what it says where it has none.
OTHER_PROTOCOLS = (
    ("icmp", (AF_INET, RAW, 1), "RAW", EPROTONOSUPPORT),
    ("raw", (AF_INET, RAW, 255), "RAW", EPROTONOSUPPORT),
    ("icmp6", (AF_INET6, RAW, 58), "RAWv6", EPROTONOSUPPORT),
    ("sctp", (AF_INET, STREAM, 132), "SCTP", EPROTONOSUPPORT),
    ("dccp", (AF_INET, 6, 33), "DCCP", ESOCKTNOSUPPORT),
    ("mptcp", (AF_INET, STREAM, 262), "MPTCP", EPROTONOSUPPORT),
    ("udplite", (AF_INET, DGRAM, 136), "UDP-Lite", EPROTONOSUPPORT),
    ("l2tp", (AF_INET, DGRAM, 115), "L2TP/IP", EPROTONOSUPPORT),
    ("smc", (AF_INET, STREAM, 256), "SMC", EPROTONOSUPPORT),
    ("mptcp6", (AF_INET6, STREAM, 262), "MPTCPv6", EPROTONOSUPPORT),
    ("udplite6", (AF_INET6, DGRAM, 136), "UDPLITEv6", EPROTONOSUPPORT),
    ("packet_type", (AF_INET, 10, 3), "PACKET", ESOCKTNOSUPPORT),
)


def host_answer(numbers, protocol, error):
    with contextlib.suppress(OSError):
        socket.socket(*numbers).close()
    return answer_to_socket(protocol, error)


@attacks(*(calls(name, "socket {} {} {}".format(*numbers),
                 host=host_answer(numbers, protocol, error))
           for name, numbers, protocol, error in OTHER_PROTOCOLS),
         calls("ping", f"socket {AF_INET} {DGRAM} 1",
               host=answer_to_ping_socket()),
         calls("tcp_as_datagram", f"socket {AF_INET} {DGRAM} 6",
               host=EPROTONOSUPPORT))
def test_loopback_has_tcp_and_udp_only(sandbox, attack):
    attack.check(sandbox, **LOOPBACK)


SOCKETCALL = 102


@pytest.mark.parametrize("fields", [{}, LOOPBACK], ids=["none", "loopback"])
def test_no_socket_by_the_32_bit_entry(sandbox, fields):
    """`socketcall` has its arguments behind a pointer: no filter sees them."""
    assert sandbox.violation("int80", SOCKETCALL, 1, 0, 0, **fields) == (
        "socketcall", SOCKETCALL, "i386")
    # 359 is `socket` itself.
    assert sandbox.violation("int80", 359, 40, STREAM, 0, **fields) == (
        "socket", 359, "i386")
    assert on_host("int80", 359, AF_NETLINK, RAW, 0)["errno"] == 0
