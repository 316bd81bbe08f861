"""paddockd, started by root with no more than a container gives it."""

import os

import pytest

from harness import jobs
from harness import leftovers
from harness import nested_namespaces
from harness import server as servers


@pytest.fixture(name="paddockd")
def _paddockd(start_server):
    return start_server(user=servers.FEW_CAPABILITIES)


def user_namespace(pid):
    return os.readlink(f"/proc/{pid}/ns/user")


def test_it_has_a_user_namespace_of_its_own_with_the_same_ids(paddockd):
    assert user_namespace(paddockd.pid) != user_namespace("self")
    with open(f"/proc/{paddockd.pid}/uid_map", encoding="ascii") as file:
        assert file.read().split() == ["0", "0", "4294967295"]


def test_the_server_process_has_no_user_and_no_privilege_of_the_host(paddockd):
    statuses = []
    for pid in leftovers.descendants(paddockd.pid):
        with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            if "--role=server" not in file.read():
                continue
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            fields = (line.partition(":") for line in file)
            statuses.append({name: value for name, _, value in fields})
    status, = statuses
    assert "0" not in status["Uid"].split()
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0


def test_programs_have_ranges_of_ids_of_their_own(paddockd):
    api = jobs.Api(paddockd.channel)
    maps = [api.run("/bin/cat", "/proc/self/uid_map").stdout.data.split()
            for _ in range(2)]
    assert maps[0] != maps[1]
    for inside, outside, count in maps:
        assert (inside, count) == (b"0", b"65536")
        assert int(outside) >= 65536


def test_its_control_as_root_has_none(start_server):
    assert user_namespace(start_server().pid) == user_namespace("self")


def test_no_user_namespace_can_be_made_inside(start_server):
    server = start_server(nested_namespaces.CONFIG,
                          user=servers.FEW_CAPABILITIES)
    nested_namespaces.assert_none(jobs.Api(server.channel))
