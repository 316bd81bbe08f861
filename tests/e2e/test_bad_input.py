"""A bad request is refused with every field it got wrong; nothing runs."""

import socket

import grpc
import pytest
from google.protobuf import duration_pb2
from paddock.v1 import execution_service_pb2
from paddock.v1 import process_pb2

from harness import errors
from harness import jobs

P = "job.process."
MESSAGE_METHOD = "/paddock.v1.ExecutionService/Execute"


@pytest.fixture(autouse=True)
def nothing_is_lost(api):
    """Whatever a test sends: no worker went."""
    before = [(worker.id, worker.start_time.ToNanoseconds())
              for worker in api.workers()]
    yield
    after = [(worker.id, worker.start_time.ToNanoseconds())
             for worker in api.workers()]
    assert after == before
    assert api.run("/bin/echo", "fine").stdout.data == b"fine\n"


def refused(api, call, *arguments, **keywords):
    """The error of `call`, for which no worker started a program."""
    def started():
        return sum(worker.processes_run for worker in api.workers())
    before = started()
    error = errors.error_of(call, *arguments, **keywords)
    assert started() == before
    return error


def refuse(api, process):
    return refused(api, api.execute, process)


def with_input(path, source=None, **fields):
    process = jobs.make_process("/bin/true")
    added = process.inputs.add(path=path, **fields)
    if source is None:
        added.source.data = b"x"
    return process


def with_inputs(*paths):
    process = jobs.make_process("/bin/true")
    for path in paths:
        process.inputs.add(path=path).source.data = b"x"
    return process


def with_outputs(*paths):
    return jobs.make_process("/bin/true", outputs=paths)


def true(**fields):
    return jobs.make_process("/bin/true", **fields)


ONE_FIELD = {
    "no argv": (process_pb2.Process(), P + "argv"),
    "empty program": (jobs.make_process(""), P + "argv[0]"),
    "NUL in argv": (jobs.make_process("/bin/echo", "a\0b"), P + "argv[1]"),
    "too many arguments": (jobs.make_process(*["a"] * 5000), P + "argv"),
    "too long arguments": (jobs.make_process("/bin/echo", "a" * 100_000),
                           P + "argv"),
    "env name empty": (true(env={"": "x"}), P + 'env[""]'),
    "env name with =": (true(env={"A=B": "x"}), P + 'env["A=B"]'),
    "NUL in env": (true(env={"A": "x\0"}), P + 'env["A"]'),
    "NUL in secret env": (true(secret_env={"A": "x\0"}),
                          P + 'secret_env["A"]'),
    "workdir escapes": (true(working_directory="../etc"),
                        P + "working_directory"),
    "workdir NUL": (true(working_directory="/a\0"), P + "working_directory"),
    "input escapes": (with_input("../x"), P + "inputs[0].path"),
    "input escapes later": (with_input("a/../../x"), P + "inputs[0].path"),
    "input elsewhere": (with_input("/etc/passwd"), P + "inputs[0].path"),
    "input at the root": (with_input("/"), P + "inputs[0].path"),
    "input is the workspace": (with_input("/work"), P + "inputs[0].path"),
    "input empty": (with_input(""), P + "inputs[0].path"),
    "input NUL": (with_input("a\0b"), P + "inputs[0].path"),
    "input name too long": (with_input("a" * 256), P + "inputs[0].path"),
    "input path too long": (with_input("a/" * 600 + "x"),
                            P + "inputs[0].path"),
    "input without source": (with_input("x", source=False),
                             P + "inputs[0].source"),
    "input twice": (with_inputs("x", "/work/./x"), P + "inputs[1].path"),
    "input below a file": (with_inputs("x", "x/y"), P + "inputs[1].path"),
    "input above a file": (with_inputs("x/y", "x"), P + "inputs[0].path"),
    "output escapes": (with_outputs("../x"), P + "outputs[0].path"),
    "output elsewhere": (with_outputs("/etc/shadow"), P + "outputs[0].path"),
    "output twice": (with_outputs("x", "./x"), P + "outputs[1].path"),
    "output limit negative": (with_outputs(process_pb2.Output(
        path="x", limit_bytes=-1)), P + "outputs[0].limit_bytes"),
    "stdin without a kind": (true(), P + "stdin"),
    "live stdin": (true(), P + "stdin.live"),
    "user of no form": (true(user="a b"), P + "user"),
    "image of no form": (true(image="../etc"), P + "image"),
    "network unknown": (true(network=77), P + "network"),
    "name too long": (true(name="n" * 256), P + "name"),
    "stderr twice": (true(stderr_to_stdout=True, stderr=process_pb2.Capture()),
                     P + "stderr_to_stdout"),
    "overflow policy unknown": (true(stdout=process_pb2.Capture(
        on_overflow=77)), P + "stdout.on_overflow"),
}
ONE_FIELD["stdin without a kind"][0].stdin.SetInParent()
ONE_FIELD["live stdin"][0].stdin.live.SetInParent()


@pytest.mark.parametrize("name", ONE_FIELD)
def test_one_wrong_field_is_named(api, name):
    process, field = ONE_FIELD[name]
    errors.assert_invalid(refuse(api, process), field)


def bad_duration(seconds, nanos=0):
    return duration_pb2.Duration(seconds=seconds, nanos=nanos)


BAD_LIMITS = {
    "cpu_time": [bad_duration(0), bad_duration(-1), bad_duration(0, -1),
                 bad_duration(1 << 40), bad_duration(1, 2_000_000_000)],
    "wall_time": [bad_duration(0), bad_duration(-5), bad_duration(1 << 40)],
    "idle_time": [bad_duration(0), bad_duration(-5), bad_duration(0, 99_999_999)],
    "memory_bytes": [0, -1, 1, 1 << 62],
    "processes": [0, -1, (1 << 31) - 1],
    "open_files": [0, -1, 3, (1 << 31) - 1],
    "file_size_bytes": [-1, 1 << 62],
    "workspace_bytes": [-1, 1 << 62],
    "workspace_inodes": [0, -1, 1 << 62],
    "stack_bytes": [0, -1, 1 << 62],
    "output_bytes": [-1, 1 << 62],
    "cpus": [0.0, -1.0, 1e-9, float("inf"), float("nan")],
}


@pytest.mark.parametrize("field", BAD_LIMITS)
def test_absurd_limits_are_named(api, field):
    for value in BAD_LIMITS[field]:
        process = jobs.make_process("/bin/true")
        if field.endswith("_time"):
            getattr(process.limits, field).CopyFrom(value)
        else:
            setattr(process.limits, field, value)
        errors.assert_invalid(refuse(api, process), f"{P}limits.{field}")


def test_a_limit_above_the_maximum_of_the_server(api):
    maximum = api.info().max_limits
    process = jobs.make_process("/bin/true")
    process.limits.memory_bytes = maximum.memory_bytes
    assert api.execute(process).outcome == jobs.SUCCEEDED
    process.limits.memory_bytes = maximum.memory_bytes + 1
    error = refuse(api, process)
    errors.assert_invalid(error, P + "limits.memory_bytes")
    assert str(maximum.memory_bytes) in errors.violations(error)[
        P + "limits.memory_bytes"]


def test_all_violations_come_at_once(api):
    process = jobs.make_process("/bin/echo", "a\0", env={"A=": "x"})
    process.inputs.add(path="../x").source.data = b""
    process.outputs.add(path="/etc/passwd")
    process.limits.memory_bytes = -1
    process.limits.processes = 0
    errors.assert_invalid(
        refuse(api, process), P + "argv[1]", P + 'env["A="]',
        P + "inputs[0].path", P + "outputs[0].path", P + "limits.memory_bytes",
        P + "limits.processes")


def test_a_thousand_violations_are_an_answer_too(api):
    process = jobs.make_process("/bin/true")
    for _ in range(1000):
        process.inputs.add(path="../x").source.data = b""
    error = refuse(api, process)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    # As many as the answer has room for, and the number of the others.
    named = list(errors.violations(error))
    assert named == [f"{P}inputs[{i}].path" for i in range(len(named))]
    assert len(named) > 10
    assert error.details().endswith("(and 999 more)")


def test_a_hundred_thousand_variables(api):
    process = true(env={"=": "", **{f"V{i}": "" for i in range(100_000)}})
    # Too many, too long together, and one that none could have.
    errors.assert_invalid(refuse(api, process), P + "env", P + 'env["="]',
                          P + "argv")


def test_an_unknown_image(api):
    error = refuse(api, jobs.make_process("/bin/true", image="no-such-image"))
    errors.assert_invalid(error, f"{P}image")
    assert "no-such-image" in error.details()


def execute(api, request):
    return refused(api, api.execution.Execute, request, timeout=20)


def test_no_job(api):
    errors.assert_invalid(
        execute(api, execution_service_pb2.ExecuteRequest()), "job")


def test_neither_process_nor_steps(api):
    request = execution_service_pb2.ExecuteRequest()
    request.job.SetInParent()
    errors.assert_invalid(execute(api, request), "job.process")


def test_both_process_and_steps(api):
    request = jobs.make_request(jobs.make_process("/bin/true"))
    request.job.steps.add().processes.add(argv=["/bin/true"])
    errors.assert_invalid(execute(api, request), "job.steps")


@pytest.mark.parametrize("request_id", ["x" * 37, "a\nb", "ü"])
def test_a_bad_request_id(api, request_id):
    request = jobs.make_request(jobs.make_process("/bin/true"))
    request.request_id = request_id
    errors.assert_invalid(execute(api, request), "request_id")


@pytest.mark.parametrize("field", ["timeout", "queue_timeout"])
@pytest.mark.parametrize("seconds", [0, -1])
def test_a_bad_job_time(api, field, seconds):
    request = jobs.make_request(jobs.make_process("/bin/true"))
    getattr(request.job, field).CopyFrom(bad_duration(seconds))
    errors.assert_invalid(execute(api, request), f"job.{field}")


def test_a_bad_priority(api):
    request = jobs.make_request(jobs.make_process("/bin/true"))
    request.job.priority = 77
    errors.assert_invalid(execute(api, request), "job.priority")


def unbuilt():
    true_ = jobs.make_process
    blob = true_("/bin/true")
    blob.stdin.blob.hash = "0" * 64
    input_blob = true_("/bin/true")
    input_blob.inputs.add(path="x").source.blob.hash = "0" * 64
    terminal = true_("/bin/true")
    terminal.terminal.SetInParent()
    descriptors = true_("/bin/true")
    descriptors.file_descriptors.add(fd=3).write.SetInParent()
    workspace = true_("/bin/true")
    workspace.workspace_from.step = "compile"
    return {
        P + "stdin.blob": blob,
        P + "inputs[0].source.blob": input_blob,
        P + "terminal": terminal,
        P + "file_descriptors": descriptors,
        P + "workspace_from": workspace,
        P + "writable_root": true_("/bin/true", writable_root=True),
        P + "user": true_("/bin/true", user="0"),
        P + "stdout.live": true_("/bin/true",
                                 stdout=process_pb2.Capture(live=True)),
        P + "outputs[0].delivery": true_(
            "/bin/true", outputs=[process_pb2.Output(
                path="x", delivery=process_pb2.DELIVERY_BLOB)]),
    }


@pytest.mark.parametrize("field", unbuilt())
def test_what_is_not_built_is_named(api, field):
    error = refuse(api, unbuilt()[field])
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert set(errors.violations(error)) == {field}
    assert field in error.details()


def test_steps_are_not_built_and_named(api):
    request = execution_service_pb2.ExecuteRequest()
    request.job.steps.add().processes.add(argv=["/bin/true"])
    error = execute(api, request)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert set(errors.violations(error)) == {"job.steps"}


def test_a_message_over_the_size_limit(start_server):
    server = start_server({"requests": {"max_request_bytes": 1 << 20}})
    api = jobs.Api(server.channel)
    assert api.info().max_request_bytes == 1 << 20
    fits = jobs.make_process("/usr/bin/wc", "-c", stdin=bytes((1 << 20) - 500))
    assert api.execute(fits).outcome == jobs.SUCCEEDED
    for size in (1 << 20, (2 << 20) - 500):
        error = refuse(api, jobs.make_process("/bin/true", stdin=bytes(size)))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert errors.violations(error).keys() == {"job"}
        assert "the maximum is 1048576" in errors.violations(error)["job"]
    # Far more is not read: gRPC's own answer.
    error = refuse(api, jobs.make_process("/bin/true", stdin=bytes(2 << 20)))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert api.run("/bin/true").outcome == jobs.SUCCEEDED


UNDECODABLE = {
    "no_such_wire_type": b"\xff" * 50,
    "length_beyond_the_end": b"\x0a\xff\xff\xff\xff\x0f",
    "string_that_is_not_utf8": b"\x0a\x07\x0a\x05\x12\x03\x0a\x01\xff",
    "varint_without_an_end": b"\x0a" + b"\x80" * 20,
}


@pytest.mark.parametrize("payload", UNDECODABLE.values(), ids=UNDECODABLE.keys())
def test_a_message_that_does_not_decode(server, api, payload):
    running = api.start(jobs.make_process("/bin/sleep", "0.3"))
    call = server.channel.unary_unary(MESSAGE_METHOD)
    error = errors.error_of(call, payload, timeout=10)
    # gRPC answers by itself, before our code: its callback API so.
    assert error.code() in (grpc.StatusCode.INTERNAL,
                            grpc.StatusCode.UNIMPLEMENTED)
    # Nobody is disturbed: neither what runs nor who comes over the same channel.
    assert api.run("/bin/echo", "x").stdout.data == b"x\n"
    assert running.result().result.outcome == jobs.SUCCEEDED


GARBAGE = {
    "http_1": b"GET / HTTP/1.1\r\n\r\n",
    "zeros": bytes(10_000),
    "tls": b"\x16\x03\x01" + b"\xff" * 500,
    "http_2_and_no_frame": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 5000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_on_the_port_disturbs_nobody(server, api, garbage):
    running = api.start(jobs.make_process("/bin/sleep", "0.5"))
    connections = [socket.create_connection(
        ("127.0.0.1", server.ready["grpc_port"])) for _ in range(20)]
    for connection in connections:
        try:
            connection.sendall(garbage)
        except OSError:
            pass  # the server may have hung up already
    assert api.run("/bin/echo", "x").stdout.data == b"x\n"
    assert running.result().result.outcome == jobs.SUCCEEDED
    for connection in connections:
        connection.close()


def test_half_open_connections_disturb_nobody(server, api):
    connections = [socket.create_connection(
        ("127.0.0.1", server.ready["grpc_port"])) for _ in range(200)]
    assert api.run("/bin/echo", "x").stdout.data == b"x\n"
    for connection in connections:
        connection.close()


def test_a_full_queue_refuses_clearly(start_server):
    from google.rpc import error_details_pb2
    server = start_server({"workers": {"count": 1},
                           "requests": {"queue_capacity": 2}})
    api = jobs.Api(server.channel)
    calls = [api.start(jobs.make_process("/bin/sleep", "1"))
             for _ in range(6)]
    codes = [call.code() for call in calls]
    assert codes.count(grpc.StatusCode.OK) == 3
    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 3
    refused = next(call for call in calls
                   if call.code() == grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert errors.detail(refused, error_details_pb2.RetryInfo) is not None
    assert errors.detail(refused, error_details_pb2.QuotaFailure) is not None
