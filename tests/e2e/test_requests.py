"""The requests of real users in requests/: those that can run, run.

Each file names its message in a comment. That all of them parse, also as JSON,
is tests/unit/client's to show.
"""

import os
import re
import subprocess

import grpc
import pytest
from google.protobuf import text_format
from paddock.v1 import execution_service_pb2
from paddock.v1 import execution_service_pb2_grpc

from harness import errors
from harness import jobs
from harness import paths

DIRECTORY = os.path.join(os.path.dirname(__file__), "requests")
MESSAGE = re.compile(r"^# proto-message: paddock\.v1\.(\w+)$", re.MULTILINE)


def read(name):
    with open(os.path.join(DIRECTORY, name), encoding="utf-8") as file:
        content = file.read()
    kind = getattr(execution_service_pb2, MESSAGE.search(content)[1])
    return text_format.Parse(content, kind())


@pytest.fixture
def execution(server):
    return execution_service_pb2_grpc.ExecutionServiceStub(server.channel)


def test_true(execution):
    result = execution.Execute(read("1_true.textproto"),
                               timeout=jobs.RPC_SECONDS).result
    assert result.outcome == jobs.SUCCEEDED
    assert result.process.exit_code == 0


def test_python(execution):
    result = execution.Execute(read("2_python.textproto"),
                               timeout=jobs.RPC_SECONDS).result
    assert result.outcome == jobs.SUCCEEDED
    assert result.process.stdout.text == "42\n"


@pytest.mark.parametrize("name", ["1_true", "2_python"])
def test_the_command_takes_the_file(server, name):
    done = subprocess.run(
        [paths.PADDOCK, "execute", "--server", server.address,
         os.path.join(DIRECTORY, f"{name}.textproto")],
        capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done.stderr
    response = text_format.Parse(
        done.stdout, execution_service_pb2.ExecuteResponse())
    assert response.result.outcome == jobs.SUCCEEDED


@pytest.mark.parametrize("name", [
    "3_judge", "4_checker", "5_interactive", "7_grader"])
def test_steps_are_not_built_yet(execution, name):
    error = errors.error_of(execution.Execute, read(f"{name}.textproto"),
                            timeout=jobs.RPC_SECONDS)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "job.steps" in errors.violations(error)


@pytest.mark.parametrize("name", ["6_ci", "8_terminal"])
def test_streams_are_not_built_yet(execution, name):
    call = execution.ExecuteStream(iter([read(f"{name}.textproto")]),
                                   timeout=jobs.RPC_SECONDS)
    error = errors.error_of(next, call)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
