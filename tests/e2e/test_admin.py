"""GetServerInfo, ListWorkers, health."""

import time

import grpc
import pytest
from paddock.v1 import admin_service_pb2
from paddock.v1 import enforcement_pb2
from paddock.v1 import result_pb2

from harness import errors
from harness import jobs
from harness.server import wait_until

ENFORCED = enforcement_pb2.ENFORCEMENT_STATE_ENFORCED


def test_server_info(server, api):
    info = api.info()
    assert info.version
    assert abs(info.start_time.seconds - time.time()) < 600
    assert info.worker_count == server.config["workers"]["count"]
    assert info.max_request_bytes == 64 << 20
    assert info.inline_budget_bytes == 3 << 20
    assert list(info.images) == ["host"] and info.default_image == "host"


def test_defaults_and_maxima_are_told_and_agree(api):
    info = api.info()
    for field in ("cpu_time", "wall_time", "memory_bytes", "processes",
                  "open_files", "file_size_bytes", "workspace_bytes",
                  "workspace_inodes", "stack_bytes", "output_bytes"):
        assert info.default_limits.HasField(field), field
        assert info.max_limits.HasField(field), field
        default = getattr(info.default_limits, field)
        maximum = getattr(info.max_limits, field)
        if field.endswith("_time"):
            default, maximum = jobs.seconds(default), jobs.seconds(maximum)
        assert 0 < default <= maximum, field


def test_the_memory_budget_is_told(server, api):
    info = api.info()
    assert info.memory_budget_bytes > info.max_limits.memory_bytes
    assert f"paddock_memory_budget_bytes {info.memory_budget_bytes}\n" in (
        server.http_get("/metrics"))


def test_a_default_limit_is_enforced(start_server):
    server = start_server({"requests": {"default_limits": {"processes": 3}}})
    api = jobs.Api(server.channel)
    assert api.info().default_limits.processes == 3
    report = jobs.probe_report(api.probe("fork", 5))
    assert report["done"] == 2


def test_each_limit_is_in_the_table_once_with_its_mechanism(api):
    rows = api.info().limits
    kinds = [result_pb2.LimitKind.Name(row.limit) for row in rows]
    every = set(result_pb2.LimitKind.keys()) - {"LIMIT_KIND_UNSPECIFIED"}
    assert set(kinds) == every and len(kinds) == len(every)
    for row in rows:
        assert row.state == ENFORCED, kinds
        assert row.mechanism


def test_each_layer_is_in_the_table(api):
    rows = {row.layer: row for row in api.info().layers}
    for layer in ("seccomp", "capabilities", "landlock", "network"):
        assert any(layer in name for name in rows), rows.keys()
    for name, row in rows.items():
        assert row.mechanism or row.state != ENFORCED, name


def test_workers_idle_then_busy_then_idle(api):
    wait_until(api.all_idle, 10)
    call = api.start(jobs.make_process("/bin/sleep", "0.5"))
    wait_until(lambda: api.worker_states().count("BUSY") == 1, 5)
    call.result()
    wait_until(api.all_idle, 5)


def test_workers_count_what_they_ran(api):
    before = sum(worker.processes_run for worker in api.workers())
    for _ in range(5):
        api.run("/bin/true")
    after = sum(worker.processes_run for worker in api.workers())
    assert after == before + 5
    assert [worker.id for worker in api.workers()] == [0, 1]


def list_workers(api, **fields):
    return api.admin.ListWorkers(
        admin_service_pb2.ListWorkersRequest(**fields), timeout=10)


def test_workers_come_in_pages(api):
    first = list_workers(api, page_size=1)
    assert [worker.id for worker in first.workers] == [0]
    second = list_workers(api, page_size=1, page_token=first.next_page_token)
    assert [worker.id for worker in second.workers] == [1]
    assert not second.next_page_token


@pytest.mark.parametrize("fields, field", [
    ({"page_size": -1}, "page_size"), ({"page_token": "x"}, "page_token")])
def test_a_bad_page(api, fields, field):
    errors.assert_invalid(errors.error_of(list_workers, api, **fields), field)


def test_what_is_not_built_says_so(server, api):
    error = errors.error_of(api.admin.Drain, admin_service_pb2.DrainRequest())
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    for method in ("paddock.v1.JobService/CreateJob",
                   "paddock.v1.ImageService/ListImages"):
        error = errors.error_of(server.channel.unary_unary(f"/{method}"), b"")
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED


def health(channel, service):
    """grpc.health.v1 by hand: field 1 of both messages."""
    name = service.encode()
    answer = channel.unary_unary("/grpc.health.v1.Health/Check")(
        b"\x0a" + bytes([len(name)]) + name if name else b"", timeout=5)
    return answer


@pytest.mark.parametrize("service", [
    "", "paddock.v1.ExecutionService", "paddock.v1.AdminService"])
def test_health_is_serving(server, service):
    assert health(server.channel, service) == b"\x08\x01"


def test_health_of_an_unknown_service(server):
    error = errors.error_of(health, server.channel, "no.such.Service")
    assert error.code() == grpc.StatusCode.NOT_FOUND


def test_health_says_that_a_stop_began(start_server):
    server = start_server({"shutdown": {"drain_delay": "2s"}})
    channel = server.new_channel()
    assert health(channel, "") == b"\x08\x01"
    import os
    import signal
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: health(channel, "") == b"\x08\x02", 1.5)
    # In the drain delay new jobs are still taken.
    assert jobs.Api(channel).run("/bin/true").outcome == jobs.SUCCEEDED
