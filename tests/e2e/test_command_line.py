"""paddock, the command: run, execute, doctor."""

import json
import os
import subprocess

import pytest

from harness import paths
from harness.time_scale import scaled


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


@pytest.mark.parametrize("flag, value, script, status", [
    ("--processes", "2", "sh -c 'sleep 0 & sleep 0 & wait'; exit 3", 3),
    ("--open-files", "5", "exec 3</dev/null 4</dev/null 5</dev/null", 2),
    ("--file-size", "1K", "head -c 2000 /dev/zero > f; exit $?", 153),
    ("--workspace-size", "64K", "head -c 99999 /dev/zero > f || exit 9", 9),
    ("--workspace-inodes", "4", "touch a b c d e || exit 9", 9),
    ("--output-limit", "10", "echo 0123456789abc", 0),
    ("--stack", "1M", "ulimit -s | grep -qx 1024", 0),
    ("--cpus", "0.5", "true", 0),
    ("--network", "loopback", "true", 0),
    ("--network", "none", "true", 0),
    ("--deadline", "10s", "true", 0),
    ("--image", "host", "true", 0),
])
def test_each_flag_reaches_the_sandbox(paddock, flag, value, script, status):
    done = paddock("run", flag, value, "--", "/bin/sh", "-c", script)
    assert done.returncode == status, done.stderr


def test_the_deadline_ends_it(paddock):
    done = paddock("run", "--deadline", "500ms", "--", "/bin/sleep", "20")
    assert done.returncode in (124, 125)


def test_overflow_kills_where_asked(paddock):
    flags = ["--output-limit", "10", "--on-overflow"]
    script = ["--", "/bin/sh", "-c", "echo 0123456789abcdef"]
    done = paddock("run", *flags, "truncate", *script)
    assert (done.returncode, done.stdout) == (0, b"0123456789")
    done = paddock("run", *flags, "kill", *script)
    assert done.returncode != 0
    assert done.stdout == b"0123456789"


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
                 "out", "stdin", "deadline", "json", "quiet"):
        assert f"--{flag}" in text, flag
