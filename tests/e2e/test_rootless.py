"""paddockd, started by an ordinary user with a delegated cgroup."""

import os
import tempfile

import pytest
from paddock.v1 import enforcement_pb2
from paddock.v1 import result_pb2

from harness import as_user
from harness import jobs
from harness import leftovers
from harness import nested_namespaces
from harness.jobs import MIB
from harness.server import Server
from harness.server import StartFailed

# Podman without root: ids and mounts are its own, processes the host's here.
_CONTAINER = ["unshare", "--user", "--map-root-user", "--map-auto", "--mount",
              "sh", "-ec"]
_READ_ONLY = ("mount --bind /proc/sys /proc/sys; "
              "mount -o remount,bind,ro /proc/sys")


@pytest.fixture(params=["range", "single"], scope="module")
def mode(request):
    return request.param


@pytest.fixture(scope="module")
def rootless(work_directory, mode):
    directory = os.path.join(work_directory, mode)
    os.mkdir(directory, 0o755)
    before = leftovers.snapshot()
    server = Server(directory, nested_namespaces.CONFIG, user=mode).start()
    yield server
    assert server.stop() == 0, server.log()
    leftovers.assert_none_since(before)


@pytest.fixture(scope="module")
def api(rootless):
    return jobs.Api(rootless.channel)


def _user_ids(pid):
    """Real, effective, saved and file system; none of one that has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return next(line for line in file
                        if line.startswith("Uid:")).split()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return []


def test_no_process_is_root_of_the_host(rootless, api):
    api.run("true")
    # Supervisor, server, workers, their sandboxes.
    family = [rootless.pid, *leftovers.descendants(rootless.pid)]
    ids = [_user_ids(pid) for pid in family]
    assert sum(map(bool, ids)) > 4
    assert not any("0" in of_one for of_one in ids)


def test_a_program_has_an_id_of_its_own_or_the_users(rootless, api, mode):
    uid_map = api.shell("cat /proc/self/uid_map").stdout.data.split()
    assert uid_map[0] == b"1000" and uid_map[2] == b"1"
    # Outside is what the daemon's namespace calls it: 0 is the user himself.
    assert (uid_map[1] == b"0") == (mode == "single")
    again = api.shell("cat /proc/self/uid_map").stdout.data.split()
    assert (again == uid_map) == (mode == "single")


def test_the_enforcement_table_says_what_is_missing(api, mode):
    layers = {layer.layer: layer.state for layer in api.info().layers}
    assert layers.pop("user_ids") == (
        enforcement_pb2.ENFORCEMENT_STATE_NONE if mode == "single"
        else enforcement_pb2.ENFORCEMENT_STATE_DEGRADED)
    missing = {name for name, state in layers.items()
               if state == enforcement_pb2.ENFORCEMENT_STATE_NONE}
    # The rest is as on this host as root, but for controllers not delegated.
    assert missing <= {"landlock", "server landlock", "io_accounting", "cpus"}


def test_the_log_warns_of_shared_ids(rootless, mode):
    assert ("one user id" in rootless.log()) == (mode == "single")


@pytest.mark.parametrize("probe, limits, outcome", [
    (("eat", 72 * MIB), dict(memory_bytes=64 * MIB),
     "MEMORY_LIMIT_EXCEEDED"),
    (("eat", 56 * MIB), dict(memory_bytes=64 * MIB), "SUCCEEDED"),
    (("burn", 5), dict(cpu_time=0.3), "CPU_TIME_LIMIT_EXCEEDED"),
    (("burn", 0.1), dict(cpu_time=0.3), "SUCCEEDED"),
    (("sleep", 5), dict(wall_time=0.3), "WALL_TIME_LIMIT_EXCEEDED"),
])
def test_limits_hold(api, probe, limits, outcome):
    result = api.probe(*probe, limits=limits)
    assert jobs.outcome_name(result.outcome) == outcome


def test_the_process_limit_holds(api):
    limits = dict(processes=8)
    assert jobs.probe_report(api.probe("fork", 16, limits=limits))["done"] == 7
    assert jobs.probe_report(api.probe("fork", 7, limits=limits)) == {
        "done": 7, "errno": 0}


def test_mounts_cannot_be_undone(api):
    for path in ("/", "/usr", "/dev", "/dev/null", "/proc"):
        for command in (f"mount -o remount,rw,bind {path}", f"umount {path}"):
            result = api.shell(command)
            assert result.outcome != result_pb2.OUTCOME_SUCCEEDED, command
    for path in ("/x", "/usr/x", "/dev/x", "/etc/x"):
        assert api.shell(f"echo > {path}").outcome == jobs.NONZERO_EXIT


def test_no_user_namespace_can_be_made_inside(api):
    """A second line: the filter refuses to make one at all."""
    nested_namespaces.assert_none(api)


@pytest.mark.parametrize("prepare", ["true", _READ_ONLY],
                         ids=["writable", "read-only"])
def test_nor_where_proc_sys_is_read_only(start_server, prepare):
    """As in a container with the host's processes: `--pid=host`."""
    server = start_server(nested_namespaces.CONFIG, user="range", wrapper=[
        *_CONTAINER, f'{prepare}; exec "$@"', "sh"])
    nested_namespaces.assert_none(jobs.Api(server.channel))


def test_devices_work_and_no_other_is_there(api):
    result = api.shell("echo lost > /dev/null; head -c 3 /dev/zero | od -An "
                       "-tx1; head -c 1 /dev/urandom | wc -c; ls /dev")
    assert result.outcome == jobs.SUCCEEDED
    assert result.stdout.data.split() == (
        b"00 00 00 1 fd full null random shm stderr stdin stdout urandom "
        b"zero".split())


def test_inputs_and_outputs(api):
    result = api.shell("cat in > out/result && ls -n in",
                       inputs={"in": b"42\n", "out/.keep": b""},
                       outputs=["out/result"])
    assert result.outcome == jobs.SUCCEEDED
    assert result.outputs[0].data == b"42\n"


def _with_mappers(work_directory, *names):
    """An environment whose PATH has these programs only."""
    directory = tempfile.mkdtemp(dir=work_directory)
    os.chmod(directory, 0o755)
    for name in names:
        os.symlink(f"/usr/bin/{name}", f"{directory}/{name}")
    return {"PATH": directory}


def _state_of_user_ids(server):
    return next(layer.state for layer in jobs.Api(server.channel).info().layers
                if layer.layer == "user_ids")


@pytest.mark.parametrize("names, state", [
    (["newuidmap", "newgidmap"], enforcement_pb2.ENFORCEMENT_STATE_DEGRADED),
    (["newgidmap"], enforcement_pb2.ENFORCEMENT_STATE_NONE),
    ([], enforcement_pb2.ENFORCEMENT_STATE_NONE),
], ids=["both", "without newuidmap", "none"])
def test_without_newuidmap_programs_share_the_users_id(
        start_server, work_directory, names, state):
    server = start_server(user="range",
                          environment=_with_mappers(work_directory, *names))
    assert _state_of_user_ids(server) == state
    without = state == enforcement_pb2.ENFORCEMENT_STATE_NONE
    assert ("install newuidmap" in server.log()) == without


def test_without_newgidmap_alone_it_is_named(start_server, work_directory):
    with pytest.raises(StartFailed) as caught:
        start_server(user="range",
                     environment=_with_mappers(work_directory, "newuidmap"))
    assert caught.value.status not in (0, "silent")
    for word in ("newgidmap", "/etc/subgid", "package uidmap"):
        assert word in caught.value.log, caught.value.log


def test_the_socket_belongs_to_the_user(rootless):
    assert os.stat(rootless.ready["unix_socket"]).st_uid == as_user.UID
