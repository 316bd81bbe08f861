"""Output: attacks 47 to 50 of README.md.

What a program leaves is read by a process with privileges. Each kind of wrong
file on its own is in tests/e2e (files); here are those that aim at the host, and
those that change until the last moment.
"""

import errno
import os
import tempfile

import pytest
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from attack import host_output
from attack import on_host
from harness import jobs
from harness.jobs import MIB

R = result_pb2
LIMITS = dict(file_size_bytes=64 * MIB, workspace_bytes=64 * MIB)
PROBE = {"/tmp/probe": jobs.probe("exit", 0).inputs[0].source.data}


def collect(sandbox, script, *paths, **fields):
    """{path: OutputResult} of what `script` leaves, which has to succeed."""
    result = sandbox.shell(script, outputs=[
        process_pb2.Output(path=path, limit_bytes=MIB) for path in paths],
        limits=LIMITS, **fields)
    failed = any(output.HasField("error") for output in result.outputs)
    assert result.outcome == (
        R.OUTCOME_OUTPUT_ERROR if failed else jobs.SUCCEEDED), result
    return {output.path: output for output in result.outputs}


IN_EVERY_ROOT = pytest.mark.parametrize(
    "root", ["/work", "/tmp", "/dev/shm"])


# 47. What leads elsewhere.


@pytest.fixture
def canary():
    """A file of the host that its root can read."""
    with tempfile.NamedTemporaryFile(prefix="canary-") as file:
        file.write(b"host secret")
        file.flush()
        os.chmod(file.name, 0o644)
        yield file.name


@IN_EVERY_ROOT
@pytest.mark.parametrize("target", [
    "{canary}", "/proc/1/root{canary}", "/proc/self/root{canary}",
    "../../../../..{canary}", "/proc/self/environ", "/proc/self/exe",
    "/dev/zero", "/dev/stdin", "/etc/passwd", "regular"])
def test_a_link_is_never_followed(sandbox, canary, root, target):
    target = target.format(canary=canary)
    control = on_host("read-file", canary)
    assert control == {"done": len("host secret"), "errno": 0}
    found = collect(
        sandbox, f"cd {root}; echo own > regular; ln -s '{target}' last;"
        f"ln -s \"$(dirname '{target}')\" parent; mkdir d; ln -s .. d/up",
        *(f"{root}/{path}" for path in (
            "last", f"parent/{os.path.basename(target)}", "d/up/regular",
            "regular")))
    assert found.pop(f"{root}/regular").data == b"own\n"
    assert len(found) == 3
    for output in found.values():
        assert output.error.reason == R.FILE_ERROR_REASON_SYMLINK
        assert output.error.error_number == errno.ELOOP


def test_a_hard_link_is_the_file_itself(sandbox):
    """None can be made to a file of the image, whose mount is another."""
    found = collect(
        sandbox, "echo own > a; ln a b; ln /bin/true stolen; ln /etc/passwd p;"
        "true",
        "a", "b", "stolen", "p")
    assert found["a"].data == found["b"].data == b"own\n"
    for path in ("stolen", "p"):
        assert found[path].error.reason == R.FILE_ERROR_REASON_NOT_FOUND


def test_what_is_no_file_is_not_opened_for_long(sandbox):
    """FIFOs with and without a peer, sockets, directories: no waiting."""
    found = collect(
        sandbox, "mkfifo alone written read; mkdir directory;"
        "(exec 3<>written; echo x >&3; sleep 60) & (exec 3<>read; sleep 60) &"
        "python3 -c 'import socket;"
        "s = socket.socket(socket.AF_UNIX); s.bind(\"socket\"); s.listen()';"
        "sleep 0.1",
        "alone", "written", "read", "directory", "socket")
    assert {output.error.reason for output in found.values()} == {
        R.FILE_ERROR_REASON_NOT_REGULAR}
    assert len(found) == 5


def test_a_device_cannot_be_made(sandbox, tmp_path):
    make = "mknod zero c 1 5; mknod sda b 8 0"
    host_output("sh", "-ec", make, cwd=tmp_path)
    assert (tmp_path / "zero").is_char_device()
    assert (tmp_path / "sda").is_block_device()
    found = collect(sandbox, f"{make}; touch there", "zero", "sda", "there")
    assert found.pop("there").WhichOneof("content") == "data"
    for output in found.values():
        assert output.error.reason == R.FILE_ERROR_REASON_NOT_FOUND


# 48. What is large, or changes until it is collected.


@IN_EVERY_ROOT
def test_size_is_what_counts_not_what_is_stored(sandbox, root):
    fits, *larger = (f"{root}/{name}"
                     for name in ("fits", "over", "hole", "full"))
    found = collect(
        sandbox, f"cd {root}; truncate -s {MIB} fits;"
        f"truncate -s {MIB + 1} over; truncate -s 8M hole;"
        "head -c 8388608 /dev/zero > full", fits, *larger)
    assert found[fits].data == bytes(MIB)
    for path in larger:
        assert found[path].error.reason == R.FILE_ERROR_REASON_TOO_LARGE


# It has to be at work still when the program ends.
LAST_SURVIVOR = """
import os, time
ready, begun = os.pipe()
if os.fork() == 0:
    os.setsid()
    {step}
    os.write(begun, b'.')
    while True:
        {step}
os.close(begun)
assert os.read(ready, 1) == b'.'
time.sleep(0.02)
assert os.waitpid(-1, os.WNOHANG) == (0, 0)
"""
ROUNDS, MOST_ROUNDS, SLOW_ROUNDS = 15, 200, 5
SECRET = "/etc/passwd"
DATA, LINK = "data", R.FILE_ERROR_REASON_SYMLINK


def survive(sandbox, step, path, kinds, prepare="true"):
    """What is collected while an orphan repeats `step` until it is killed: until
    each of the `kinds`, DATA or a reason of an error, was seen."""
    missing = set(kinds)
    for count in range(MOST_ROUNDS):
        if count >= ROUNDS and not missing:
            return
        found = collect(sandbox, f"{prepare}; python3 orphan", path,
                        inputs={"orphan": LAST_SURVIVOR.format(
                            step=step).encode()})
        output = found[path]
        kind = output.WhichOneof("content")
        missing.discard(kind if kind == DATA else output.error.reason)
        yield output
    assert not missing, "the control: it was collected in each state"


def test_a_file_swapped_with_a_link(sandbox, tmp_path):
    (tmp_path / "x").symlink_to(SECRET)
    control = on_host("read-file", tmp_path / "x")
    assert control == {"done": os.path.getsize(SECRET), "errno": 0}
    step = ("open('t', 'w').write('own'); os.rename('t', 'x');"
            f" os.symlink('{SECRET}', 't'); os.rename('t', 'x')")
    for output in survive(sandbox, step, "x", {DATA, LINK}):
        if output.WhichOneof("content") == DATA:
            assert output.data in (b"own", b"")
        else:
            assert output.error.reason == LINK


def test_a_parent_swapped_with_a_link(sandbox, tmp_path):
    (tmp_path / "d").symlink_to("/etc")
    control = on_host("read-file", tmp_path / "d/passwd")
    assert control == {"done": os.path.getsize(SECRET), "errno": 0}
    step = ("os.rename('d', 'real'); os.symlink('/etc', 'd');"
            " os.unlink('d'); os.rename('real', 'd')")
    for output in survive(sandbox, step, "d/passwd", {DATA, LINK},
                          "mkdir d; echo own > d/passwd"):
        if output.WhichOneof("content") == DATA:
            assert output.data == b"own\n"
        else:
            assert output.error.reason in (LINK,
                                           R.FILE_ERROR_REASON_NOT_FOUND)


def test_a_file_that_grows_and_shrinks(sandbox):
    step = ("f = open('x', 'ab'); f.write(b'x' * 65536); f.close();"
            " os.path.getsize('x') > 2 << 20 and os.truncate('x', 0)")
    for output in survive(sandbox, step, "x",
                          {DATA, R.FILE_ERROR_REASON_TOO_LARGE}):
        if output.WhichOneof("content") == DATA:
            assert len(output.data) <= MIB
            assert set(output.data) <= {ord("x")}
        else:
            assert output.error.reason == R.FILE_ERROR_REASON_TOO_LARGE


def test_nothing_is_collected_while_anything_lives(sandbox):
    """What still counts in two files would be seen to count between them."""
    step = ("count = globals().get('count', 0) + 1;"
            " [os.pwrite(fd, b'%09d' % count, 0) for fd in (3, 4)]")
    # The control reads as the collector does, but while the orphan lives.
    script = (f"exec 3>a 4>b; truncate -s {MIB} large; python3 orphan;"
              "cat a large b | tr -d '\\0' > alive")
    behind = []
    for _ in range(SLOW_ROUNDS):
        found = collect(sandbox, script, "a", "large", "b", "alive",
                        inputs={"orphan": LAST_SURVIVOR.format(
                            step=step).encode()})
        first, last, alive = (found[path].data for path in ("a", "b", "alive"))
        assert (len(first), len(last), len(alive)) == (9, 9, 18)
        behind.append(int(alive[9:]) - int(alive[:9]))
        assert int(first) >= int(alive[9:]), "it lived to the end"
        assert int(first) - int(last) in (0, 1)
    assert max(behind) > 1, "the control"


# 49. Odd names, modes and contents.

NAMES = ["-rf", "*", "~", "a b", "new\nline", "tab\t", "\x1b[31m", "\x7f",
         "\u202e", "ü", "x" * 255, "'\"`$(id)", "%s%n", "...",
         "".join(chr(byte) for byte in range(1, 128) if chr(byte) != "/")]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name(sandbox, name):
    data = bytes(range(256))
    result = sandbox.run("/bin/cp", "--", "in", f"./{name}",
                         inputs={"in": data}, outputs=[name])
    output, = result.outputs
    assert (output.path, output.data) == (name, data)


def test_names_that_are_no_text_disturb_nothing(sandbox):
    script = ("import os\n"
              "for b in range(1, 256):\n"
              "  if b not in b'/.': open(bytes([b]) + b'\\xff', 'w').close()\n"
              "open('good', 'w').write('good')\n")
    result = sandbox.python(script, outputs=["good"])
    assert result.outcome == jobs.SUCCEEDED
    assert result.outputs[0].data == b"good"


@pytest.mark.parametrize("mode", ["000", "0400", "4755", "2111", "1777"])
def test_any_mode(sandbox, mode):
    found = collect(sandbox, "mkdir d; echo own > d/x;"
                    f"chmod {mode} d/x; chmod 000 d", "d/x")
    assert found["d/x"].data == b"own\n"
    assert found["d/x"].executable == bool(int(mode, 8) & 0o100)


# 50. Standard output is a stream.


@pytest.mark.parametrize("script, wanted", [
    # No size to set, no place to go to.
    ("import os\n"
     "for call in (lambda: os.lseek(1, 1 << 40, 0),"
     " lambda: os.ftruncate(1, 1 << 33), lambda: os.pwrite(1, b'x', 8)):\n"
     "  try: call()\n"
     "  except OSError as e: os.write(1, b'%d ' % e.errno)\n",
     b"29 22 29 "),
    # An end to read from: what it does not read is the worker's.
    ("import os\n"
     "r = os.open('/proc/self/fd/1', os.O_RDONLY | os.O_NONBLOCK)\n"
     "os.write(1, b'end')\n", b"end"),
    # Packets, another size, no waiting.
    ("import os, fcntl\n"
     "fcntl.fcntl(1, fcntl.F_SETFL, os.O_DIRECT | os.O_NONBLOCK)\n"
     "for i in range(9): os.write(1, b'%d' % i)\n", b"012345678"),
    ("import os, fcntl\n"
     "fcntl.fcntl(1, 1031, 4096)\n"
     "os.write(1, b'y' * 100000)\n", b"y" * 100000),
    ("import os, fcntl\n"
     "fcntl.fcntl(1, 1031, 1 << 20)\n"
     "os.write(1, b'y' * (1 << 20))\n", b"y" * (1 << 20)),
    ("import os\nos.close(1)\n", b""),
    ("import os\nos.write(1, bytes(range(256)))\n", bytes(range(256))),
], ids=["seek", "own reader", "packets", "small pipe", "large pipe", "closed",
        "binary"])
def test_standard_output_is_a_stream(sandbox, script, wanted):
    result = sandbox.python(script, limits=dict(output_bytes=2 * MIB))
    assert result.outcome == jobs.SUCCEEDED, result
    assert result.stdout.data == wanted
    assert result.stdout.written_bytes == len(wanted)
