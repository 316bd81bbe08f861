"""paddock, the command: run, execute, doctor."""

import json
import os
import subprocess

import pytest

from harness import paths
from harness.time_scale import scaled


# Exits with 0 if the loopback device works, else with 1.
CONNECT = """exec /usr/bin/python3 -c 'import socket
listener = socket.create_server(("127.0.0.1", 0))
socket.create_connection(listener.getsockname(), 5)'
"""


@pytest.fixture
def paddock(server):
    """Runs `paddock ARGUMENT...` against the server."""
    def run(*arguments, **fields):
        environment = {**os.environ, "PADDOCK_SERVER": server.address}
        fields.setdefault("stdin", subprocess.DEVNULL)
        if "input" in fields:
            del fields["stdin"]
        return subprocess.run(
            [paths.PADDOCK, *arguments], capture_output=True, timeout=60,
            env=environment, check=False, **fields)
    return run


def test_the_first_example(paddock):
    done = paddock("run", "--cpu-time", f"{scaled(2):g}s", "--memory", "64M",
                   "--", "/usr/bin/python3", "-c", "print(42)")
    assert (done.returncode, done.stdout) == (0, b"42\n")
    assert len(done.stderr.splitlines()) == 1


def test_the_server_can_be_named_three_ways(server, paddock):
    for address in (server.address, server.unix_address):
        done = subprocess.run(
            [paths.PADDOCK, "run", "--server", address, "--quiet", "--",
             "/bin/echo", "x"], capture_output=True, timeout=30,
            stdin=subprocess.DEVNULL, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"x\n", b"")
    done = paddock("run", "--quiet", "--", "/bin/echo", "x")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"x\n", b"")


@pytest.mark.parametrize("arguments, status", [
    (("/bin/true",), 0),
    (("/bin/sh", "-c", "exit 42"), 42),
    (("/bin/sh", "-c", "kill -TERM $$"), 128 + 15),
    (("/bin/sh", "-c", "kill -SEGV $$"), 128 + 11),
    (("/no/such",), 127),
    (("/usr",), 126),
])
def test_exit_codes(paddock, arguments, status):
    assert paddock("run", "--", *arguments).returncode == status


@pytest.mark.parametrize("flags, script, status", [
    (["--cpu-time", "200ms"], "while True: pass", 124),
    (["--wall-time", "300ms"], "import time; time.sleep(20)", 124),
    (["--idle-time", "300ms"], "import time; time.sleep(20)", 124),
    (["--memory", "32M"], "x = bytearray(64 << 20)", 137),
])
def test_exit_codes_of_limits(paddock, flags, script, status):
    done = paddock("run", *flags, "--", "/usr/bin/python3", "-c", script)
    assert done.returncode == status, done.stderr


def test_no_service_is_125():
    done = subprocess.run(
        [paths.PADDOCK, "run", "--server", "127.0.0.1:1", "--", "/bin/true"],
        capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 125
    assert done.stderr


@pytest.mark.parametrize("arguments", [
    ["run", "--memory", "many", "--", "/bin/true"],
    ["run", "--memory", "-1", "--", "/bin/true"],
    ["run", "--cpu-time", "2 fortnights", "--", "/bin/true"],
    ["run", "--no-such-flag", "--", "/bin/true"],
    ["run", "--env", "NOEQUALS", "--", "/bin/true"],
    ["run", "--file", "x=/no/such/file", "--", "/bin/true"],
    ["run", "--stdin", "/no/such/file", "--", "/bin/true"],
    ["run", "--on-overflow", "explode", "--", "/bin/true"],
    ["run"],
    ["no-such-command"],
])
def test_wrong_usage_is_125_and_says_what(paddock, arguments):
    done = paddock(*arguments)
    assert done.returncode == 125, done
    assert done.stderr


def test_a_refused_request_names_the_field(paddock):
    done = paddock("run", "--file", "../x=/dev/null", "--", "/bin/true")
    assert done.returncode == 125
    assert b"job.process.inputs[0].path" in done.stderr


def test_stdin_is_passed_on(paddock):
    data = bytes(range(256)) * 1000
    assert paddock("run", "--", "/bin/cat", input=data).stdout == data


def test_stdin_from_a_file(paddock, tmp_path):
    (tmp_path / "in").write_bytes(b"\0from a file")
    done = paddock("run", "--stdin", str(tmp_path / "in"), "--", "/bin/cat")
    assert done.stdout == b"\0from a file"


def test_both_streams_come_out_as_they_are(paddock):
    done = paddock("run", "--quiet", "--", "/bin/sh", "-c",
                   "printf '\\377\\000out'; printf '\\376err' >&2")
    assert done.stdout == b"\xff\x00out"
    assert done.stderr == b"\xfeerr"


def test_files_in_and_out(paddock, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"#!/bin/sh\ntr a-z A-Z < in > out\ncp out second\n")
    source.chmod(0o755)
    (tmp_path / "data").write_bytes(b"abc")
    done = paddock("run", "--file", f"tool={source}", "--file", "in=data",
                   "--out", f"out={tmp_path}/result", "--out", "second",
                   "--", "./tool", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "result").read_bytes() == b"ABC"
    assert (tmp_path / "second").read_bytes() == b"ABC"


def test_a_missing_output_is_told(paddock, tmp_path):
    done = paddock("run", "--out", f"none={tmp_path}/none", "--", "/bin/true")
    assert done.returncode != 0
    assert b"none" in done.stderr
    assert not (tmp_path / "none").exists()


def test_environment_and_directory(paddock):
    done = paddock("run", "--env", "A=b=c", "--env", "E=", "--workdir", "/tmp",
                   "--", "/bin/sh", "-c", "echo $A-$E; pwd")
    assert done.stdout == b"b=c-\n/tmp\n"


# `status` is the script's with the flag, and not without.
@pytest.mark.parametrize("flag, value, script, status", [
    ("--processes", "2", "sleep 0.2 & sleep 0.2 & wait", 2),
    ("--open-files", "5", "exec 3</dev/null 4</dev/null 5</dev/null", 2),
    ("--file-size", "1K", "head -c 2000 /dev/zero > f; exit $?", 153),
    ("--workspace-size", "64K", "head -c 99999 /dev/zero > f || exit 9", 9),
    ("--workspace-inodes", "4", "touch a b c d e || exit 9", 9),
    ("--stack", "1M", "ulimit -s | grep -qx 1024", 0),
    ("--network", "loopback", CONNECT, 0),
])
def test_each_flag_reaches_the_sandbox(paddock, flag, value, script, status):
    program = ["--", "/bin/sh", "-c", script]
    done = paddock("run", flag, value, *program)
    assert done.returncode == status, done.stderr
    assert paddock("run", *program).returncode != status


def test_no_network_can_be_asked_for(paddock):
    done = paddock("run", "--network", "none", "--", "/bin/sh", "-c", CONNECT)
    assert done.returncode == 1
    assert b"Address family not supported" in done.stderr


def test_the_output_limit_cuts(paddock):
    program = ["--", "/bin/sh", "-c", "echo 0123456789; echo 0123456789 >&2"]
    done = paddock("run", "--json", "--output-limit", "7", *program)
    process = json.loads(done.stdout)["result"]["process"]
    assert process["stdout"]["text"] == process["stderr"]["text"] == "0123456"
    assert done.returncode == 0
    assert paddock("run", *program).stdout == b"0123456789\n"


def test_fewer_cpus_take_longer(paddock):
    """The quota holds however idle the host is; a busy one only adds."""
    done = paddock("run", "--json", "--cpus", "0.25", "--", "/usr/bin/python3",
                   "-c", "import time\nwhile time.process_time() < 0.4: pass")
    assert done.returncode == 0, done.stderr
    usage = json.loads(done.stdout)["result"]["process"]["usage"]
    cpu, wall = (float(usage[name].removesuffix("s"))
                 for name in ("cpuTime", "wallTime"))
    assert cpu >= 0.4
    assert cpu / wall < 0.5


def test_the_image_can_be_chosen(start_server):
    server = start_server({"sandbox": {"images": [
        {"name": name, "host": {}, "env": {"IMAGE": name}}
        for name in ("host", "second")]}})
    for flags, name in (([], b"host\n"), (["--image", "second"], b"second\n")):
        done = subprocess.run(
            [paths.PADDOCK, "run", "--server", server.address, *flags, "--",
             "/bin/sh", "-c", "echo $IMAGE"], capture_output=True, timeout=30,
            stdin=subprocess.DEVNULL, check=False)
        assert (done.returncode, done.stdout) == (0, name), done.stderr


def test_the_deadline_ends_it(paddock):
    program = ["--", "/bin/sleep", "2"]
    done = paddock("run", "--deadline", "500ms", *program)
    assert done.returncode == 125
    assert b"DEADLINE_EXCEEDED" in done.stderr
    assert paddock("run", "--deadline", "50s", *program).returncode == 0


def test_overflow_kills_where_asked(paddock):
    flags = ["--output-limit", "10", "--on-overflow"]
    script = ["--", "/bin/sh", "-c", "echo 0123456789abcdef"]
    done = paddock("run", *flags, "truncate", *script)
    assert (done.returncode, done.stdout) == (0, b"0123456789")
    done = paddock("run", *flags, "kill", *script)
    assert (done.returncode, done.stdout) == (153, b"0123456789")


def test_json_is_the_whole_response_and_nothing_else(paddock):
    done = paddock("run", "--json", "--", "/bin/sh", "-c", "echo x; exit 3")
    answer = json.loads(done.stdout)
    process = answer["result"]["process"]
    assert process["outcome"] == "OUTCOME_NONZERO_EXIT"
    assert process["exitCode"] == 3
    assert done.returncode == 3
    assert answer["jobId"]


@pytest.mark.parametrize("name, text", [
    ("request.json", '{"job": {"process": {"argv": ["/bin/echo", "x"]}}}'),
    ("request.textproto", 'job { process { argv: ["/bin/echo", "x"] } }'),
])
def test_execute_sends_any_request(paddock, tmp_path, name, text):
    (tmp_path / name).write_text(text)
    done = paddock("execute", str(tmp_path / name))
    assert done.returncode == 0, done.stderr
    assert b"OUTCOME_SUCCEEDED" in done.stdout


def test_execute_of_a_bad_file(paddock, tmp_path):
    (tmp_path / "bad.json").write_text('{"job": {"processes": {}}}')
    done = paddock("execute", str(tmp_path / "bad.json"))
    assert done.returncode == 125
    assert b"processes" in done.stderr


def test_doctor_tells_what_enforces_each_limit(paddock):
    done = paddock("doctor")
    assert done.returncode == 0
    text = done.stdout.decode().lower()
    for word in ("memory", "cpu_time", "seccomp", "landlock"):
        assert word.replace("_", " ") in text or word in text, text


def test_help_names_every_flag(paddock):
    text = paddock("run", "--help").stdout.decode()
    for flag in ("server", "image", "cpu-time", "wall-time", "idle-time",
                 "memory", "processes", "open-files", "file-size",
                 "workspace-size", "workspace-inodes", "stack", "output-limit",
                 "on-overflow", "cpus", "network", "env", "workdir", "file",
                 "out", "profile", "stdin", "deadline", "json", "quiet"):
        assert f"--{flag}" in text, flag
