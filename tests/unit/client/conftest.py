"""The command and the examples against a server that says what a test wants.

What a real server hardly ever says (a blob, an outcome of the future, a worker
lost twice) is tested here; tests/e2e has the real one.
"""

import concurrent.futures
import os
import subprocess
import threading

import grpc
import pytest
from google.rpc import status_pb2
from paddock.v1 import admin_service_pb2
from paddock.v1 import admin_service_pb2_grpc
from paddock.v1 import execution_service_pb2
from paddock.v1 import execution_service_pb2_grpc

PADDOCK = os.environ["PADDOCK_BIN"]


class ScriptedServer(execution_service_pb2_grpc.ExecutionServiceServicer,
                     admin_service_pb2_grpc.AdminServiceServicer):
    """Answers with `response` or fails with `error`; keeps the requests."""

    def __init__(self, directory):
        self.address = f"unix:{directory}/socket"
        self.response = execution_service_pb2.ExecuteResponse()
        self.info = admin_service_pb2.GetServerInfoResponse()
        self.workers = []
        self.error = None
        self.requests = []
        self.hang = False
        self.called = threading.Event()
        self.cancelled = threading.Event()

    def fail(self, code, message, *details):
        self.error = (code, message, details)

    def process(self):
        """The process's result, to be filled in."""
        return self.response.result.process

    def _maybe_fail(self, context):
        if self.error is None:
            return
        code, message, details = self.error
        if details:
            status = status_pb2.Status(code=code.value[0], message=message)
            for detail in details:
                status.details.add().Pack(detail)
            context.set_trailing_metadata(
                (("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, message)

    def Execute(self, request, context):
        self.requests.append(request)
        context.add_callback(self.cancelled.set)
        self.called.set()
        self._maybe_fail(context)
        if self.hang:
            self.cancelled.wait(30)
        return self.response

    def GetServerInfo(self, request, context):
        self._maybe_fail(context)
        return self.info

    def ListWorkers(self, request, context):
        # One to a page, so that the client has to ask again.
        index = int(request.page_token or 0)
        rest = len(self.workers) - index - 1
        return admin_service_pb2.ListWorkersResponse(
            workers=self.workers[index:index + 1],
            next_page_token=str(index + 1) if rest > 0 else "")


@pytest.fixture
def server(tmp_path):
    scripted = ScriptedServer(tmp_path)
    grpc_server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(4),
        options=[("grpc.max_receive_message_length", 64 << 20),
                 ("grpc.max_send_message_length", 128 << 20)])
    execution_service_pb2_grpc.add_ExecutionServiceServicer_to_server(
        scripted, grpc_server)
    admin_service_pb2_grpc.add_AdminServiceServicer_to_server(
        scripted, grpc_server)
    assert grpc_server.add_insecure_port(scripted.address)
    grpc_server.start()
    yield scripted
    grpc_server.stop(0).wait()


@pytest.fixture
def environment(server):
    return {**os.environ, "PADDOCK_SERVER": server.address}


@pytest.fixture
def paddock(environment):
    """Runs `paddock ARGUMENT...` against the scripted server."""
    def run(*arguments, **fields):
        if "input" not in fields:
            fields.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(
            [PADDOCK, *arguments], capture_output=True, timeout=30,
            env=environment, check=False, **fields)
    return run
