"""client/python: the stubs and the example."""

import os
import pathlib
import subprocess
import sys

import grpc
from google.rpc import error_details_pb2
from paddock.v1 import result_pb2

PYTHON = pathlib.Path(__file__).parents[3] / "client" / "python"


def run(environment, *arguments):
    return subprocess.run(
        [sys.executable, PYTHON / "run_example.py", *arguments],
        capture_output=True, timeout=30, env=environment, check=False)


def test_the_example_runs_a_program(server, environment):
    process = server.process()
    process.outcome = result_pb2.OUTCOME_SUCCEEDED
    process.exit_code = 0
    process.stdout.data = b"42\n"
    process.usage.peak_memory_bytes = 3 << 20
    done = run(environment, "python3", "-c", "print(42)")
    assert (done.returncode, done.stdout) == (0, b"42\n")
    assert done.stderr == b"OUTCOME_SUCCEEDED, exit_code 0, cpu 0 ms, " \
                          b"peak 3072 KiB\n"
    (request,) = server.requests
    assert list(request.job.process.argv) == ["python3", "-c", "print(42)"]


def test_the_example_shows_what_is_wrong(server, environment):
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="job.process.argv", description="is bad")
    server.fail(grpc.StatusCode.INVALID_ARGUMENT, "refused", bad)
    done = run(environment, "x")
    assert done.returncode == 125
    assert done.stderr.decode().splitlines() == [
        "INVALID_ARGUMENT: refused", "  job.process.argv: is bad"]


def test_the_script_wants_a_directory():
    done = subprocess.run([PYTHON / "generate.sh"], capture_output=True,
                          check=False, env=os.environ)
    assert done.returncode == 2
    assert b"generate.sh DIRECTORY" in done.stderr
