"""paddock execute and info."""

import json

import grpc
from google.protobuf import json_format
from google.protobuf import text_format
from paddock.v1 import execution_service_pb2
from paddock.v1 import result_pb2

TEXT = 'job { process { argv: "/bin/true" } } request_id: "r"'
JSON = '{"job": {"process": {"argv": ["/bin/true"]}}, "requestId": "r"}'


def fill(server):
    server.response.job_id = "j"
    server.response.result.outcome = result_pb2.OUTCOME_NONZERO_EXIT
    server.process().exit_code = 3
    server.process().stdout.data = b"\xff"


def from_json(data):
    return json_format.Parse(data, execution_service_pb2.ExecuteResponse())


def from_text(data):
    return text_format.Parse(data, execution_service_pb2.ExecuteResponse())


def test_the_answer_has_the_format_of_the_question(server, paddock, tmp_path):
    fill(server)
    for content, parse in ((TEXT, from_text), (JSON, from_json)):
        (tmp_path / "request").write_text(content)
        done = paddock("execute", str(tmp_path / "request"))
        assert (done.returncode, done.stderr) == (0, b"")
        assert parse(done.stdout) == server.response
    assert server.requests[0] == server.requests[1]
    assert server.requests[0].request_id == "r"


def test_from_standard_input_in_the_other_format(server, paddock):
    fill(server)
    done = paddock("execute", "-", "--output", "json", input=TEXT.encode())
    assert from_json(done.stdout) == server.response
    done = paddock("execute", "--output", "text", "-", input=JSON.encode())
    assert from_text(done.stdout) == server.response


def test_a_file_that_is_no_request(server, paddock, tmp_path):
    for content, words in (
            ('{"job": {"processes": {}}}', "processes"),
            ('job {\n  processes {}\n}', "line 2"),
            ('{"job": ', "JSON"),
            ('{"job": {"priority": "PRIORITY_EXTREME"}}', "PRIORITY_EXTREME")):
        (tmp_path / "bad").write_text(content)
        done = paddock("execute", str(tmp_path / "bad"))
        assert done.returncode == 125
        assert words in done.stderr.decode()
        assert str(tmp_path / "bad") in done.stderr.decode()
        assert done.stdout == b""
    assert not server.requests


def test_a_file_that_is_not_there(paddock):
    done = paddock("execute", "/no/such")
    assert done.returncode == 125
    assert b"/no/such" in done.stderr


def test_a_refused_request(server, paddock):
    server.fail(grpc.StatusCode.UNIMPLEMENTED, "job.steps is not built yet")
    done = paddock("execute", "-", input=TEXT.encode())
    assert done.returncode == 125
    assert b"UNIMPLEMENTED: job.steps is not built yet" in done.stderr


def test_info_is_json(server, paddock):
    server.info.version = "1.2.3"
    server.info.images.append("host")
    done = paddock("info")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"version": "1.2.3", "images": ["host"]}
