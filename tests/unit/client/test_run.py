"""paddock run."""

import json
import os
import pty
import signal
import subprocess

import grpc
import pytest
from google.rpc import error_details_pb2
from paddock.v1 import result_pb2

import conftest


def succeed(server, **fields):
    process = server.process()
    process.exit_code = 0
    server.response.result.outcome = result_pb2.OUTCOME_SUCCEEDED
    process.outcome = result_pb2.OUTCOME_SUCCEEDED
    for name, data in fields.items():
        getattr(process, name).data = data


def end(server, outcome, **fields):
    server.response.result.outcome = outcome
    process = server.process()
    process.outcome = outcome
    for name, value in fields.items():
        setattr(process, name, value)


def sent(server):
    (request,) = server.requests
    return request.job.process


def test_words_behind_the_dashes_are_the_programs(server, paddock):
    succeed(server)
    argv = ["prog", "--help", "--", "-x", "[a,b]", "", "run", "ä"]
    done = paddock("run", "--memory", "1M", "--", *argv)
    assert done.returncode == 0, done.stderr
    assert list(sent(server).argv) == argv
    assert sent(server).limits.memory_bytes == 1 << 20


def test_the_dashes_can_be_left_out(server, paddock):
    succeed(server)
    assert paddock("run", "--quiet", "sh", "-c", "x", "--", "y").returncode == 0
    assert list(sent(server).argv) == ["sh", "-c", "x", "--", "y"]


def test_output_comes_out_as_it_is_and_the_verdict_behind_it(server, paddock):
    succeed(server, stdout=b"\xff\0out", stderr=b"\xfeerr\n")
    server.process().usage.cpu_time.nanos = 2500000
    done = paddock("run", "--", "x")
    assert done.stdout == b"\xff\0out"
    assert done.stderr == b"\xfeerr\npaddock: SUCCEEDED, exit 0, cpu 2.5 ms\n"
    assert paddock("run", "--quiet", "--", "x").stderr == b"\xfeerr\n"


@pytest.mark.parametrize("outcome, ending, status", [
    (result_pb2.OUTCOME_NONZERO_EXIT, {"exit_code": 42}, 42),
    (result_pb2.OUTCOME_SIGNALED, {"term_signal": 6}, 134),
    (result_pb2.OUTCOME_CPU_TIME_LIMIT_EXCEEDED, {"term_signal": 9}, 124),
    (result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED, {"term_signal": 9}, 137),
    (result_pb2.OUTCOME_OUTPUT_LIMIT_EXCEEDED, {"term_signal": 9}, 153),
    (result_pb2.OUTCOME_POLICY_VIOLATION, {"term_signal": 9}, 159),
    (result_pb2.OUTCOME_INFRASTRUCTURE_ERROR, {}, 125),
    (27, {"term_signal": 9}, 137),
])
def test_exit_codes(server, paddock, outcome, ending, status):
    end(server, outcome, **ending)
    assert paddock("run", "--", "x").returncode == status


def test_quiet_still_says_that_nothing_ran(server, paddock):
    end(server, result_pb2.OUTCOME_EXEC_FAILED)
    server.process().exec_error.path = "/x"
    server.process().exec_error.reason = (
        result_pb2.FILE_ERROR_REASON_NOT_FOUND)
    done = paddock("run", "--quiet", "--", "/x")
    assert done.returncode == 127
    assert b"/x" in done.stderr


def test_json_is_all_there_is(server, paddock):
    succeed(server)
    server.process().stdout.text = "hi\n"
    server.response.job_id = "j"
    done = paddock("run", "--json", "--", "x")
    assert done.stderr == b""
    assert json.loads(done.stdout) == {
        "jobId": "j", "result": {
            "outcome": "OUTCOME_SUCCEEDED", "process": {
                "exitCode": 0, "outcome": "OUTCOME_SUCCEEDED",
                "stdout": {"text": "hi\n"}}}}
    assert sent(server).stdout.prefer_text
    assert sent(server).stderr.prefer_text


def test_standard_input_is_read_to_its_end(server, paddock):
    succeed(server)
    data = bytes(range(256)) * 4000
    paddock("run", "--", "x", input=data)
    assert sent(server).stdin.data == data


def test_no_standard_input_is_none(server, paddock):
    succeed(server)
    paddock("run", "--", "x")
    assert not sent(server).HasField("stdin")


def test_a_closed_standard_input_is_none(server, environment):
    succeed(server)
    done = subprocess.run(
        ["sh", "-c", f"exec {conftest.PADDOCK} run -- x <&-"], timeout=30,
        env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not sent(server).HasField("stdin")


def test_a_terminal_is_not_read(server, paddock):
    succeed(server)
    master, slave = pty.openpty()
    done = paddock("run", "--", "x", stdin=slave)
    os.close(slave)
    os.close(master)
    assert done.returncode == 0
    assert not sent(server).HasField("stdin")


def test_files_are_sent_as_they_are(server, paddock, tmp_path):
    succeed(server)
    (tmp_path / "a").write_bytes(b"\0\xff")
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "b").chmod(0o755)
    done = paddock("run", "--file", "x/a=a", "--file", "/tmp/b=b",
                   "--stdin", "a", "--", "x", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = sent(server).inputs
    assert (first.path, first.source.data, first.executable) == (
        "x/a", b"\0\xff", False)
    assert (second.path, second.source.data, second.executable) == (
        "/tmp/b", b"", True)
    assert sent(server).stdin.data == b"\0\xff"


def test_outputs_are_written(server, paddock, tmp_path):
    succeed(server)
    server.process().outputs.add(path="d/a", data=b"\0a", executable=True)
    server.process().outputs.add(path="b", data=b"bb")
    done = paddock("run", "--out", "d/a", "--out", "b=c", "--", "x",
                   cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [output.path for output in sent(server).outputs] == ["d/a", "b"]
    assert (tmp_path / "a").read_bytes() == b"\0a"
    assert os.access(tmp_path / "a", os.X_OK)
    assert (tmp_path / "c").read_bytes() == b"bb"


def test_every_output_that_is_missing_is_told(server, paddock, tmp_path):
    end(server, result_pb2.OUTCOME_OUTPUT_ERROR, exit_code=0)
    error = server.process().outputs.add(path="a").error
    error.reason = result_pb2.FILE_ERROR_REASON_SYMLINK
    server.process().outputs.add(path="b").blob.size_bytes = 5
    server.process().outputs.add(path="c", data=b"c")
    done = paddock("run", "--out", "a", "--out", "b", "--out", "c", "--out",
                   "d", "--out", "c2=no/such/dir", "--", "x", cwd=tmp_path)
    assert done.returncode == 125
    lines = done.stderr.decode().splitlines()
    assert "paddock: output a: SYMLINK" in lines
    assert any(line.startswith("paddock: output b: ") and "blob" in line
               for line in lines)
    assert "paddock: output d: the server did not send it" in lines
    assert (tmp_path / "c").read_bytes() == b"c"


def test_json_tells_of_an_output_that_could_not_be_collected(
        server, paddock, tmp_path):
    end(server, result_pb2.OUTCOME_OUTPUT_ERROR, exit_code=0)
    error = server.process().outputs.add(path="a").error
    error.reason = result_pb2.FILE_ERROR_REASON_SYMLINK
    server.process().outputs.add(path="b", data=b"b")
    flags = ["--json", "--out", "a"]
    done = paddock("run", *flags, "--out", "b", "--", "x", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (125, b"")
    assert b"SYMLINK" in done.stdout
    # What it cannot tell of is said all the same.
    done = paddock("run", *flags, "--out", "b=no/such/dir", "--", "x",
                   cwd=tmp_path)
    assert done.returncode == 125
    assert done.stderr.startswith(b"paddock: output b: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_programs_own_trouble_goes_before_a_missing_output(server, paddock):
    end(server, result_pb2.OUTCOME_NONZERO_EXIT, exit_code=3)
    done = paddock("run", "--out", "a", "--", "x")
    assert done.returncode == 3
    assert b"output a" in done.stderr


def test_two_outputs_cannot_be_one_file(server, paddock):
    done = paddock("run", "--out", "x/a", "--out", "y/a", "--", "x")
    assert done.returncode == 125
    assert b"--out" in done.stderr
    assert not server.requests


def test_a_refusal_names_every_field(server, paddock):
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="job.process.argv[0]", description="is bad")
    bad.field_violations.add(field="job.process.limits.cpus",
                             description="is worse")
    server.fail(grpc.StatusCode.INVALID_ARGUMENT, "2 fields are wrong", bad)
    done = paddock("run", "--json", "--", "x")
    assert done.returncode == 125
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == [
        "paddock: INVALID_ARGUMENT: 2 fields are wrong",
        "  job.process.argv[0]: is bad",
        "  job.process.limits.cpus: is worse"]


def test_words_that_are_not_utf8_are_named(server, paddock):
    done = paddock("run", "--", "x", b"\xff")
    assert done.returncode == 125
    assert b"job.process.argv[1]: is not UTF-8" in done.stderr
    assert not server.requests


def test_large_answers_are_taken(server, paddock):
    data = bytes(20 << 20)
    succeed(server, stdout=data)
    assert paddock("run", "--", "x").stdout == data


def test_the_deadline_is_the_calls(server, paddock):
    server.hang = True
    done = paddock("run", "--deadline", "300ms", "--", "x")
    assert done.returncode == 125
    assert b"DEADLINE_EXCEEDED" in done.stderr
    assert server.cancelled.wait(10)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_call(server, environment, number):
    server.hang = True
    with subprocess.Popen(
            [conftest.PADDOCK, "run", "--", "x"], env=environment,
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert server.called.wait(10)
        assert not server.cancelled.is_set()
        process.send_signal(number)
        assert process.wait(10) == 128 + number
        assert b"interrupted" in process.stderr.read()
    assert server.cancelled.wait(10)


def test_a_signal_that_was_ignored_stays_so(server, environment):
    """As behind nohup."""
    succeed(server)
    server.hang = True
    with subprocess.Popen(
            ["sh", "-c", f"trap '' HUP; exec {conftest.PADDOCK} run -- x"],
            env=environment, stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE) as process:
        assert server.called.wait(10)
        process.send_signal(signal.SIGHUP)
        assert not server.cancelled.wait(0.5)
        server.hang = False
        server.cancelled.set()  # lets the call go on
        assert process.wait(10) == 0


@pytest.fixture
def printing(server, environment, tmp_path):
    """A `paddock run` that is stuck in the middle of its output."""
    succeed(server, stdout=bytes(1 << 20))
    server.process().outputs.add(path="a", data=b"a")
    with subprocess.Popen(
            [conftest.PADDOCK, "run", "--out", "a", "--", "x"], cwd=tmp_path,
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as process:
        assert process.stdout.read(1) == b"\0"
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_printing(printing, tmp_path, number):
    printing.send_signal(number)
    assert printing.wait(10) == -number
    assert (tmp_path / "a").read_bytes() == b"a"


def test_without_a_reader_all_but_the_output_comes(printing, tmp_path):
    printing.stdout.close()
    assert printing.wait(10) == -signal.SIGPIPE
    assert printing.stderr.read() == b"paddock: SUCCEEDED, exit 0\n"
    assert (tmp_path / "a").read_bytes() == b"a"


def test_the_programs_own_trouble_goes_before_a_missing_reader(
        server, environment):
    end(server, result_pb2.OUTCOME_NONZERO_EXIT, exit_code=3)
    server.process().stdout.data = b"x"
    done = subprocess.run(
        ["bash", "-c", f"{conftest.PADDOCK} run --json -- x | true;"
         " echo ${PIPESTATUS[0]} >&2"], env=environment, timeout=30,
        stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.stderr == b"3\n"


def test_a_signal_ends_the_printing_of_execute(server, environment):
    succeed(server, stdout=bytes(1 << 20))
    with subprocess.Popen(
            [conftest.PADDOCK, "execute", "-"], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"job { process { argv: 'x' } }")
        process.stdin.close()
        assert process.stdout.read(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM


def test_without_a_server(environment, tmp_path):
    done = subprocess.run(
        [conftest.PADDOCK, "run", "--server", f"unix:{tmp_path}/none", "--",
         "x"], env=environment, capture_output=True, timeout=60,
        stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 125
    assert b"UNAVAILABLE" in done.stderr
    assert f"{tmp_path}/none".encode() in done.stderr
    # gRPC's own log lines would come before ours.
    assert done.stderr.startswith(b"paddock: ")


@pytest.mark.parametrize("arguments, words", [
    (["run"], "no program"),
    (["run", "--cputime", "2s", "--", "x"], "--cputime"),
    (["run", "--cpu-time", "2", "--", "x"], "--cpu-time: '2' has no unit"),
    (["run", "--memory", "1M", "--memory", "2M", "--", "x"], "--memory"),
    (["run", "--file", "a=/no/such", "--", "x"], "/no/such"),
    (["run", "--file", "a=/usr", "--", "x"], "/usr is a directory"),
    (["run", "--stdin", "/no/such", "--", "x"], "/no/such"),
    (["execute"], "FILE"),
    (["no-such-command"], "no-such-command"),
    ([], "subcommand"),
])
def test_wrong_usage_is_125_and_says_what(server, paddock, arguments, words):
    done = paddock(*arguments)
    assert done.returncode == 125
    assert done.stdout == b""
    assert words in done.stderr.decode()
    assert not server.requests


@pytest.mark.parametrize("arguments", [
    ["--help"], ["--version"], ["run", "--help"], ["execute", "--help"],
    ["doctor", "--help"], ["info", "--help"],
])
def test_help_and_version(paddock, arguments):
    done = paddock(*arguments)
    assert done.returncode == 0
    assert done.stdout and not done.stderr
