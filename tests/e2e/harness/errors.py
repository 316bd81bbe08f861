"""Reads the details of gRPC errors."""

import grpc
import pytest
from google.rpc import error_details_pb2
from google.rpc import status_pb2

DETAILS_KEY = "grpc-status-details-bin"
NAME_OF_TYPE = "type.googleapis.com/google.rpc."


def status_of(error):
    """The google.rpc.Status of an RpcError, or None."""
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY:
            return status_pb2.Status.FromString(value)
    return None


def detail(error, kind):
    """The one detail of type `kind`, or None."""
    status = status_of(error)
    for item in status.details if status else ():
        if item.type_url == NAME_OF_TYPE + kind.DESCRIPTOR.name:
            return kind.FromString(item.value)
    return None


def violations(error):
    """{field: description} of BadRequest."""
    bad_request = detail(error, error_details_pb2.BadRequest)
    if bad_request is None:
        return {}
    return {violation.field: violation.description
            for violation in bad_request.field_violations}


def error_of(call, *arguments, **keywords):
    """The RpcError that the call must raise."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **keywords)
    return caught.value


def assert_invalid(error, *fields):
    """INVALID_ARGUMENT that names exactly `fields`."""
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error.details()
    found = violations(error)
    assert set(found) == set(fields), found
    assert all(found.values()), f"a violation without a description: {found}"
    info = detail(error, error_details_pb2.ErrorInfo)
    assert info is not None and info.reason and info.domain
