"""Writes requests and sends them."""

import datetime
import json

from paddock.v1 import admin_service_pb2
from paddock.v1 import admin_service_pb2_grpc
from paddock.v1 import execution_service_pb2
from paddock.v1 import execution_service_pb2_grpc
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from harness import paths
from harness.time_scale import scaled

MIB = 1 << 20
# Beyond any time that a test means to measure.
RPC_SECONDS = scaled(60)

SUCCEEDED = result_pb2.OUTCOME_SUCCEEDED
NONZERO_EXIT = result_pb2.OUTCOME_NONZERO_EXIT
SIGNALED = result_pb2.OUTCOME_SIGNALED


def outcome_name(number):
    return result_pb2.Outcome.Name(number).removeprefix("OUTCOME_")


def limit_names(result):
    return {result_pb2.LimitKind.Name(kind).removeprefix("LIMIT_KIND_")
            for kind in result.limits_hit}


def seconds(duration):
    return duration.seconds + duration.nanos * 1e-9


def make_limits(**values):
    """Limits; times in seconds."""
    limits = process_pb2.Limits()
    for name, value in values.items():
        if name.endswith("_time"):
            getattr(limits, name).FromTimedelta(
                datetime.timedelta(seconds=value))
        else:
            setattr(limits, name, value)
    return limits


def make_process(*argv, limits=None, inputs=None, outputs=(), stdin=None,
                 **fields):
    """A Process. `inputs`: path -> bytes; `outputs`: paths or Outputs."""
    process = process_pb2.Process(argv=argv, **fields)
    if limits:
        process.limits.CopyFrom(make_limits(**limits))
    for path, data in (inputs or {}).items():
        process.inputs.add(path=path, executable=True).source.data = data
    for output in outputs:
        if isinstance(output, str):
            process.outputs.add(path=output)
        else:
            process.outputs.append(output)
    if stdin is not None:
        process.stdin.data = stdin
    return process


def make_request(process):
    request = execution_service_pb2.ExecuteRequest()
    request.job.process.CopyFrom(process)
    return request


_probe_binary = None


def probe(*arguments, inputs=None, **fields):
    """A Process that runs the probe, sent along as an input."""
    global _probe_binary
    if _probe_binary is None:
        with open(paths.PROBE, "rb") as file:
            _probe_binary = file.read()
    return make_process(
        "/tmp/probe", *(str(argument) for argument in arguments),
        inputs={"/tmp/probe": _probe_binary, **(inputs or {})}, **fields)


def probe_report(result):
    """What the probe printed: {"done": ..., "errno": ...}."""
    return json.loads(result.stdout.data)


class Api:
    """Both services over one channel."""

    def __init__(self, channel):
        self.execution = execution_service_pb2_grpc.ExecutionServiceStub(
            channel)
        self.admin = admin_service_pb2_grpc.AdminServiceStub(channel)

    def execute(self, process, timeout=RPC_SECONDS):
        """Runs `process`; returns the JobResult."""
        return self.execution.Execute(make_request(process),
                                      timeout=timeout).result

    def run(self, *argv, timeout=RPC_SECONDS, **fields):
        """Runs argv; returns the ProcessResult."""
        return self.execute(make_process(*argv, **fields), timeout).process

    def shell(self, script, **fields):
        return self.run("/bin/sh", "-c", script, **fields)

    def python(self, script, **fields):
        return self.run("/usr/bin/python3", "-c", script, **fields)

    def probe(self, *arguments, timeout=RPC_SECONDS, **fields):
        return self.execute(probe(*arguments, **fields), timeout).process

    def start(self, process, timeout=RPC_SECONDS):
        """Sends `process` without waiting; returns the call."""
        return self.execution.Execute.future(make_request(process),
                                             timeout=timeout)

    def info(self):
        return self.admin.GetServerInfo(
            admin_service_pb2.GetServerInfoRequest(), timeout=RPC_SECONDS)

    def workers(self):
        return list(self.admin.ListWorkers(
            admin_service_pb2.ListWorkersRequest(),
            timeout=RPC_SECONDS).workers)

    def worker_states(self):
        return [admin_service_pb2.WorkerState.Name(worker.state)
                .removeprefix("WORKER_STATE_") for worker in self.workers()]

    def all_idle(self):
        return set(self.worker_states()) == {"IDLE"}
