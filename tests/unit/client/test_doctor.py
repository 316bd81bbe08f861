"""paddock doctor."""

import subprocess

import grpc
import pytest
from paddock.v1 import admin_service_pb2
from paddock.v1 import enforcement_pb2
from paddock.v1 import result_pb2

import conftest


@pytest.fixture
def good(server):
    server.info.version = "1.2.3"
    server.info.worker_count = 3
    for kind in result_pb2.LimitKind.values():
        if kind != result_pb2.LIMIT_KIND_UNSPECIFIED:
            server.info.limits.add(
                limit=kind, mechanism="m",
                state=enforcement_pb2.ENFORCEMENT_STATE_ENFORCED)
    server.info.layers.add(
        layer="seccomp", mechanism="filter",
        state=enforcement_pb2.ENFORCEMENT_STATE_ENFORCED)
    server.workers = [
        admin_service_pb2.Worker(id=i, processes_run=10,
                                 state=admin_service_pb2.WORKER_STATE_IDLE)
        for i in range(3)]
    return server


def test_all_is_well(good, paddock):
    done = paddock("doctor")
    assert done.returncode == 0, done.stdout
    text = done.stdout.decode()
    assert good.address in text
    assert "1.2.3" in text
    # Every page of workers was read.
    assert "3: 3 idle, 0 busy, 0 starting; 30 programs" in text


def test_one_layer_is_not(good, paddock):
    good.info.layers[0].state = enforcement_pb2.ENFORCEMENT_STATE_DEGRADED
    done = paddock("doctor")
    assert done.returncode == 1
    assert "seccomp (DEGRADED)" in done.stdout.decode()


def test_a_server_that_refuses_is_there(good, paddock):
    good.fail(grpc.StatusCode.PERMISSION_DENIED, "not you")
    done = paddock("doctor")
    assert done.returncode == 125
    assert b"not you" in done.stderr
    assert done.stdout == b""


def test_without_a_server_the_host_is_looked_at(tmp_path):
    done = subprocess.run(
        [conftest.PADDOCK, "doctor", "--server", f"unix:{tmp_path}/none"],
        capture_output=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 125
    text = done.stdout.decode()
    for word in ("privilege", "kernel", "namespaces", "cgroups", "seccomp",
                 "landlock", "paddockd"):
        assert word in text
