#!/usr/bin/python3
"""Runs one program through a Paddock server and prints what came of it.

    client/python/generate.sh stubs
    PYTHONPATH=stubs client/python/run_example.py python3 -c 'print(6 * 7)'

$PADDOCK_SERVER names the server, "host:port" or "unix:/path"; the default is
127.0.0.1:50051. Exits with 0 if the program succeeded, 1 if it did not, and 125
if the request was refused or no server answered.
"""

import os
import sys

import grpc
from google.rpc import error_details_pb2
from google.rpc import status_pb2
from paddock.v1 import execution_service_pb2
from paddock.v1 import execution_service_pb2_grpc
from paddock.v1 import job_pb2
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2


def make_request(argv):
    process = process_pb2.Process(
        argv=argv,
        limits=process_pb2.Limits(memory_bytes=64 << 20))
    process.limits.cpu_time.FromMilliseconds(2000)
    return execution_service_pb2.ExecuteRequest(
        job=job_pb2.JobSpec(process=process))


def violations(error):
    """Yields "field: what is wrong with it" of a refused request."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            bad_request = error_details_pb2.BadRequest()
            if detail.Unpack(bad_request):
                for violation in bad_request.field_violations:
                    yield f"{violation.field}: {violation.description}"


def main(argv):
    if not argv:
        print(__doc__, file=sys.stderr)
        return 125
    server = os.environ.get("PADDOCK_SERVER", "127.0.0.1:50051")
    with grpc.insecure_channel(server) as channel:
        service = execution_service_pb2_grpc.ExecutionServiceStub(channel)
        try:
            # The deadline ends the job too: nothing is left running.
            response = service.Execute(make_request(argv), timeout=60)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}", file=sys.stderr)
            for line in violations(error):
                print(f"  {line}", file=sys.stderr)
            return 125
    process = response.result.process
    sys.stdout.buffer.write(process.stdout.data)
    sys.stdout.flush()
    sys.stderr.buffer.write(process.stderr.data)
    sys.stderr.flush()
    # exit_code and term_signal are a oneof: one of them, or neither.
    ending = process.WhichOneof("exit")
    print(result_pb2.Outcome.Name(process.outcome),
          f"{ending} {getattr(process, ending)}" if ending else "not started",
          f"cpu {process.usage.cpu_time.ToMilliseconds()} ms",
          f"peak {process.usage.peak_memory_bytes >> 10} KiB",
          sep=", ", file=sys.stderr)
    return 0 if process.outcome == result_pb2.OUTCOME_SUCCEEDED else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
