"""Speaks HTTP/2 by hand, as a client does that means no good: RFC 9113."""

import socket
import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = (
    0, 1, 3, 4, 6, 7, 8)
ACK, END_STREAM, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
CANCEL = 8
WINDOW = 65535  # until the other side says another size
PIECE = 16384  # the largest frame until then
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, stream, payload=b"", flags=0):
    return (struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
            + struct.pack(">I", stream) + payload)


def _literal(name, value):
    """A header without indexing or Huffman code: RFC 7541, 6.2.2."""
    return b"".join((b"\0", bytes([len(name)]), name.encode(),
                     bytes([len(value)]), value.encode()))


def message(payload):
    """A gRPC message, not compressed."""
    return b"\0" + struct.pack(">I", len(payload)) + payload


class Connection:
    """One TCP connection; streams have the numbers 1, 3, 5 ..."""

    def __init__(self, server, settings=()):
        port = server.ready["grpc_port"]
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.settimeout(60)
        self._authority = f"127.0.0.1:{port}"
        self._next_stream = 1
        self.send(_PREFACE + frame(SETTINGS, 0, b"".join(
            struct.pack(">HI", *setting) for setting in settings)))

    def send(self, data):
        """False if the server has hung up."""
        try:
            self._socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def receive(self):
        """(kind, flags, stream, payload) of the next frame; None at the end."""
        head = self._receive_exactly(9)
        if head is None:
            return None
        payload = self._receive_exactly(int.from_bytes(head[:3], "big"))
        if payload is None:
            return None
        return head[3], head[4], int.from_bytes(head[5:], "big"), payload

    def _receive_exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                more = self._socket.recv(count - len(data))
            except (ConnectionResetError, TimeoutError):
                return None
            if not more:
                return None
            data += more
        return data

    def begin(self, path):
        """(stream, HEADERS frame) of a new call."""
        stream = self._next_stream
        self._next_stream += 2
        block = b"".join((
            _literal(":method", "POST"), _literal(":scheme", "http"),
            _literal(":path", path), _literal(":authority", self._authority),
            _literal("content-type", "application/grpc"),
            _literal("te", "trailers")))
        return stream, frame(HEADERS, stream, block, END_HEADERS)

    def close(self):
        self._socket.close()


def send_without_end(connection, path, size):
    """Begins a message of `size` bytes, sends all but its last one as far as
    the server lets it, and waits. Returns how much was sent."""
    stream, headers = connection.begin(path)
    windows = {0: WINDOW, stream: WINDOW}
    data = bytes(PIECE)
    connection.send(headers)
    prefix, sent = b"\0" + struct.pack(">I", size), 0
    while sent < size - 1:
        room = min(PIECE, size - 1 - sent, *windows.values())
        if room > len(prefix):
            piece = prefix + data[:room - len(prefix)]
            prefix = b""
            if not connection.send(frame(DATA, stream, piece)):
                break
            sent += len(piece)
            for key in windows:
                windows[key] -= len(piece)
        elif not _take_frame(connection, stream, windows):
            break
    return sent


def _take_frame(connection, stream, windows):
    """False where the server wants no more."""
    received = connection.receive()
    if received is None:
        return False
    kind, flags, number, payload = received
    if kind == WINDOW_UPDATE:
        windows[number] += int.from_bytes(payload, "big")
    elif kind == SETTINGS and not flags & ACK:
        for at in range(0, len(payload), 6):
            name, value = struct.unpack_from(">HI", payload, at)
            if name == INITIAL_WINDOW_SIZE:
                windows[stream] += value - WINDOW
        connection.send(frame(SETTINGS, 0, flags=ACK))
    elif kind == PING and not flags & ACK:
        connection.send(frame(PING, 0, payload, ACK))
    return kind not in (RST_STREAM, GOAWAY)
