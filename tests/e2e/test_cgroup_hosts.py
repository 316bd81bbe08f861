"""Hosts with cgroup v2: where paddockd may stand, and what may be missing. And
hosts with v1 that have v2 mounted nowhere."""

import os
import subprocess

import grpc
import pytest
from google.rpc import error_details_pb2
from paddock.v1 import enforcement_pb2

from harness import errors
from harness import host
from harness import jobs
from harness import leftovers
from harness import own_cgroup
from harness.server import StartFailed
from harness.server import WITH_FEW_CAPABILITIES
from harness.server import wait_until
from harness.time_scale import scaled

NONE = enforcement_pb2.ENFORCEMENT_STATE_NONE
DEGRADED = enforcement_pb2.ENFORCEMENT_STATE_DEGRADED
ENFORCED = enforcement_pb2.ENFORCEMENT_STATE_ENFORCED
CPUS_FIELD = "job.process.limits.cpus"
HALF_A_CPU = {"cpus": 0.5}


@pytest.fixture(name="group")
def _group():
    """A cgroup with every controller, nobody in it. Ask for it before
    start_server: it goes when all servers have ended."""
    host.need_unified_controllers()
    directory = own_cgroup.make()
    yield directory
    own_cgroup.remove_all(directory)


def group_with(group, *controllers):
    """A cgroup below `group` that has only those."""
    own_cgroup.enable_controllers(group, controllers)
    directory = f"{group}/part"
    os.mkdir(directory)
    return directory


def layer(api, name):
    row, = (row for row in api.info().layers if row.layer == name)
    return row


def start_refused(start_server, *words, **place):
    with pytest.raises(StartFailed) as caught:
        start_server(**place)
    assert caught.value.status not in (0, "silent")
    for word in words:
        assert word in caught.value.log, caught.value.log


def half_a_cpu():
    return jobs.make_process("/bin/true", limits=HALF_A_CPU)


def test_every_controller_given_on(group, start_server):
    """The control of all that follows, and as a unit with Delegate=yes."""
    api = jobs.Api(start_server(cgroup=group).channel)
    assert layer(api, "cpus").state == ENFORCED
    assert "cpu.max" in layer(api, "cpus").mechanism
    assert "io.stat" in layer(api, "io_accounting").mechanism
    assert api.execute(half_a_cpu()).outcome == jobs.SUCCEEDED


def test_without_the_cpu_controller_its_limit_is_refused(group, start_server):
    place = group_with(group, "memory", "pids")
    api = jobs.Api(start_server(cgroup=place).channel)
    assert layer(api, "cpus").state == NONE
    assert layer(api, "io_accounting").state == NONE
    error = errors.error_of(api.execute, half_a_cpu())
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    failure = errors.detail(error, error_details_pb2.PreconditionFailure)
    assert [violation.subject for violation in failure.violations] == [
        CPUS_FIELD]
    # All else is limited as ever.
    result = api.probe("sleep", 20, limits=dict(wall_time=0.3,
                                                cpus=os.cpu_count()))
    assert jobs.outcome_name(result.outcome) == "WALL_TIME_LIMIT_EXCEEDED"


def test_without_the_cpu_controller_a_weight_is_refused(group, start_server):
    place = group_with(group, "memory", "pids")
    start_refused(start_server, "sandbox.cpu_weight", "cpu controller",
                  config={"sandbox": {"cpu_weight": 20}}, cgroup=place)
    api = jobs.Api(start_server(cgroup=place).channel)
    assert layer(api, "cpu_weight").state == NONE


def test_what_the_operator_allows_is_degraded_by_name(group, start_server):
    place = group_with(group, "memory", "pids")
    server = start_server({"cgroup": {"degrade": ["cpus"]}}, cgroup=place)
    api = jobs.Api(server.channel)
    assert layer(api, "cpus").state == DEGRADED
    assert api.execute(half_a_cpu()).outcome == jobs.SUCCEEDED


@pytest.mark.parametrize("missing", ["memory", "pids"])
def test_what_nothing_works_without_is_named_at_start(group, start_server,
                                                      missing):
    present = {"memory", "pids", "cpu"} - {missing}
    start_refused(start_server, f"the {missing} controller",
                  "cgroup.subtree_control",
                  cgroup=group_with(group, *present))


def processes_in(group):
    with open(f"{group}/cgroup.procs", encoding="ascii") as file:
        return file.read().split()


def test_company_in_the_group_is_named(group, start_server):
    with subprocess.Popen([*own_cgroup.entering(group),
                           "/bin/sleep", "600"]) as other:
        try:
            wait_until(lambda: str(other.pid) in processes_in(group), 10)
            start_refused(start_server, str(other.pid), "Delegate=yes",
                          cgroup=group)
        finally:
            other.kill()


def in_mount_namespace(command, *options):
    """A wrapper that runs shell `command` in a mount namespace of its own."""
    return ["unshare", "--mount", *options, "sh", "-e", "-c",
            f'{command}; exec "$@"', "sh"]


def test_in_a_container_with_a_cgroup_mount_of_its_own(group, start_server):
    """The daemon's cgroup is the root of what it sees."""
    server = start_server(cgroup=group, wrapper=in_mount_namespace(
        "umount /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup",
        "--cgroup"))
    api = jobs.Api(server.channel)
    result = api.python("x = bytearray(200 << 20)",
                        limits=dict(memory_bytes=64 << 20))
    assert jobs.outcome_name(result.outcome) == "MEMORY_LIMIT_EXCEEDED"
    assert api.execute(half_a_cpu()).outcome == jobs.SUCCEEDED


def test_in_a_container_that_sees_the_hosts_mount(group, start_server):
    server = start_server(cgroup=group, wrapper=in_mount_namespace(
        "true", "--cgroup"))
    api = jobs.Api(server.channel)
    assert api.execute(half_a_cpu()).outcome == jobs.SUCCEEDED


def test_a_read_only_mount_is_named_at_start(group, start_server):
    start_refused(
        start_server, "/sys/fs/cgroup", "read-only", cgroup=group,
        wrapper=in_mount_namespace(
            "mount -o remount,bind,ro /sys/fs/cgroup"))


def test_from_a_cgroup_that_was_killed_before(group, start_server):
    """What Linux 6.12 then does is in worker/sandbox/clone_probe.h."""
    home, base = f"{group}/home", f"{group}/base"
    own_cgroup.enable_controllers(group)
    os.mkdir(home)
    os.mkdir(base)
    with open(f"{home}/cgroup.kill", "w", encoding="ascii") as file:
        file.write("1")
    server = start_server({"cgroup": {"parent": own_cgroup.name_of(base)}},
                          cgroup=home)
    api = jobs.Api(server.channel)
    assert api.execute(half_a_cpu()).outcome == jobs.SUCCEEDED
    if os.uname().release.startswith("6.12."):
        assert layer(api, "cgroup_entry").mechanism.startswith("cgroup.procs")
    result = api.shell("sleep 20 & sleep 20", limits=dict(wall_time=0.5))
    assert jobs.outcome_name(result.outcome) == "WALL_TIME_LIMIT_EXCEEDED"


def point_of_v1(controller):
    """Where its hierarchy is mounted, and all controllers of that."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        mounts = [line.split(" - ") for line in file]
    return next(
        (around.split()[4], what.split()[2].split(","))
        for around, what in mounts if what.startswith("cgroup ")
        and controller in what.split()[2].split(","))


def without_v1(controller):
    """A wrapper for a host that has it mounted nowhere, and what goes with it:
    other controllers of the same hierarchy."""
    point, together = point_of_v1(controller)
    return in_mount_namespace(f"umount {point}"), together


@pytest.mark.parametrize("missing", ["memory", "pids", "cpuacct"])
def test_what_nothing_works_without_is_named_on_v1(start_server, missing):
    host.need_v1_controllers()
    wrapper, _ = without_v1(missing)
    start_refused(start_server, f"this process the {missing} controller",
                  "On v1 its hierarchy must be mounted"
                  if missing == "cpuacct" else "Delegate=yes",
                  wrapper=wrapper)


@pytest.mark.parametrize("missing, rows, limited", [
    ("cpu", ["cpus", "cpu_weight"], False),
    ("blkio", ["io_accounting"], True),
])
def test_what_v1_may_be_without(start_server, missing, rows, limited):
    host.need_v1_controllers()
    wrapper, together = without_v1(missing)
    if "cpuacct" in together:  # some hosts mount cpu and cpuacct as one
        start_refused(start_server, "this process the cpuacct controller",
                      wrapper=wrapper)
        return
    api = jobs.Api(start_server(wrapper=wrapper).channel)
    control = jobs.Api(start_server().channel)
    for row in rows:
        assert layer(api, row).state == NONE
        assert layer(control, row).state != NONE
    assert control.execute(half_a_cpu()).outcome == jobs.SUCCEEDED
    if limited:
        assert api.execute(half_a_cpu()).outcome == jobs.SUCCEEDED
        return
    error = errors.error_of(api.execute, half_a_cpu())
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    allowed = jobs.Api(start_server({"cgroup": {"degrade": ["cpus"]}},
                                    wrapper=wrapper).channel)
    assert layer(allowed, "cpus").state == DEGRADED
    assert allowed.execute(half_a_cpu()).outcome == jobs.SUCCEEDED


@pytest.mark.parametrize("controller", ["memory", "pids"])
def test_a_read_only_mount_of_v1_is_named_at_start(start_server, controller):
    host.need_v1_controllers()
    start_refused(
        start_server, f"this process the {controller} controller",
        "Read-only file system", "must be mounted, and the daemon's cgroup "
        "writable", wrapper=in_mount_namespace(
            f"mount -o remount,bind,ro {point_of_v1(controller)[0]}"))


@pytest.fixture(name="slow_group")
def _slow_group():
    """A cgroup of v1 with half a CPU."""
    host.need_v1_controllers()
    with open("/proc/self/cgroup", encoding="ascii") as file:
        own, = (path for _, controllers, path in (
            line.strip().split(":", 2) for line in file)
            if "cpu" in controllers.split(","))
    point, _ = point_of_v1("cpu")
    group = f"{point}{own.rstrip('/')}/paddock-e2e-{os.getpid()}"
    os.mkdir(group)
    with open(f"{group}/cpu.cfs_quota_us", "w", encoding="ascii") as file:
        file.write("50000")
    yield group
    os.rmdir(group)


def test_a_group_of_v1_with_less_than_a_job_may_have(slow_group, start_server):
    """Where v2 takes the lesser of the two, v1 refuses the greater."""
    before = set(os.listdir(slow_group))
    server = start_server(wrapper=own_cgroup.entering(slow_group))
    assert set(os.listdir(slow_group)) > before, "sandboxes' groups are in it"
    api = jobs.Api(server.channel)
    for cpus in (1, 0.2, 1):
        result = api.probe("burn", 0.3, limits=dict(
            cpus=cpus, cpu_time=5, wall_time=scaled(30)))
        assert result.outcome == jobs.SUCCEEDED
        # Of what it may burn in a period it may have one at the start.
        assert jobs.seconds(result.usage.wall_time) > (
            0.3 - 0.1) / min(cpus, 0.5)
    assert server.stop() == 0


@pytest.mark.parametrize("then", [(), WITH_FEW_CAPABILITIES],
                         ids=["root", "few capabilities"])
def test_a_v1_host_that_has_v2_mounted_nowhere(start_server, then):
    """Programs are killed by a group of v2 all the same, a mount of the
    worker's own."""
    host.need_v1_controllers()
    server = start_server(wrapper=[
        *in_mount_namespace("umount --all --types cgroup2"), *then])
    with open(f"/proc/{server.pid}/mountinfo", encoding="utf-8") as file:
        assert " - cgroup2 " not in file.read()
    api = jobs.Api(server.channel)
    assert layer(api, "kill").mechanism == "cgroup v2 cgroup.kill"
    assert layer(api, "oom").mechanism.endswith("then cgroup.kill")
    result = api.probe("fork-bomb", limits=dict(
        processes=64, wall_time=scaled(0.5), cpu_time=60))
    assert jobs.outcome_name(result.outcome) == "WALL_TIME_LIMIT_EXCEEDED"
    assert result.usage.peak_processes == 64
    # All of it: the shell outlives the one that the kernel chooses.
    result = api.shell("/usr/bin/python3 -c 'bytearray(200 << 20)'; sleep 1000",
                       limits=dict(memory_bytes=64 << 20, wall_time=scaled(20)))
    assert jobs.outcome_name(result.outcome) == "MEMORY_LIMIT_EXCEEDED"
    assert jobs.limit_names(result) == {"MEMORY"}
    assert jobs.seconds(result.usage.wall_time) < scaled(5)
    assert api.execute(half_a_cpu()).outcome == jobs.SUCCEEDED
    family = leftovers.descendants(server.pid)
    assert server.stop() == 0
    assert not any(map(leftovers.is_alive, family))
