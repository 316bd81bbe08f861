"""Clients that know nothing of us: by reflection, with buf."""

import base64
import json
import subprocess

import grpc
import pytest

from harness import errors
from harness import jobs
from harness import paths

EXECUTE = "paddock.v1.ExecutionService/Execute"


def buf_curl(server, *arguments, data=None):
    url = f"http://{server.address}"
    arguments = [f"{url}/{argument}" if "/" in argument else argument
                 for argument in arguments]
    if data is not None:
        arguments = ["--data", json.dumps(data), *arguments]
    return subprocess.run(
        [paths.BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge",
         *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_buf_curl_runs_a_job_by_reflection(server):
    done = buf_curl(server, EXECUTE, data={
        "job": {"process": {"argv": ["/bin/echo", "hello"]}}})
    assert done.returncode == 0, done.stderr
    process = json.loads(done.stdout)["result"]["process"]
    assert process["outcome"] == "OUTCOME_SUCCEEDED"
    assert base64.b64decode(process["stdout"]["data"]) == b"hello\n"


def test_buf_curl_asks_for_the_server_info(server):
    done = buf_curl(server, "paddock.v1.AdminService/GetServerInfo", data={})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["version"]


def test_buf_curl_sees_the_violations(server):
    done = buf_curl(server, EXECUTE, data={"job": {"process": {}}})
    assert done.returncode != 0
    assert "job.process.argv" in done.stdout + done.stderr


@pytest.mark.parametrize("compression", [
    grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_request_is_refused(api, compression):
    """A few bytes must not become more than the bound on a message."""
    request = jobs.make_request(
        jobs.make_process("/bin/cat", stdin=bytes(1 << 20)))
    error = errors.error_of(api.execution.Execute, request, timeout=20,
                            compression=compression)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert api.run("/bin/cat", stdin=bytes(1 << 20)).outcome == jobs.SUCCEEDED


def reflect(channel, request):
    """ServerReflectionInfo (v1alpha, as gRPC 1.51 has it) by hand."""
    call = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    return next(call(iter([request]), timeout=10))


def test_reflection_lists_our_services(server):
    list_services = b"\x3a\x01*"  # field 7, "*"
    answer = reflect(server.channel, list_services)
    for service in ("paddock.v1.ExecutionService", "paddock.v1.AdminService",
                    "grpc.health.v1.Health"):
        assert service.encode() in answer


@pytest.mark.parametrize("size", [100_000, 2_000_000])
def test_large_answers_fit_a_client_with_default_limits(api, size):
    result = api.probe("print", 1, size, limits=dict(output_bytes=size))
    assert len(result.stdout.data) == size
    assert result.outcome == jobs.SUCCEEDED
