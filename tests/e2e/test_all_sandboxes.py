"""What holds for all sandboxes together, as the operator configured it."""

import errno
import glob
import os
import signal

import pytest

from harness import host
from harness import jobs
from harness import own_cgroup
from harness.server import StartFailed, wait_until

MARK = "4242.4242"


def group_of(pid, controller):
    """The directory of a process's cgroup that has `controller`'s files."""
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
        lines = [line.strip().split(":", 2) for line in file]
    for _, names, path in lines:
        if controller in names.split(",") or (
                names == "" and own_cgroup.unified_only()):
            root = "" if names == "" else f"/{names}"
            return f"/sys/fs/cgroup{root}{path}".rstrip("/")
    raise AssertionError(f"no hierarchy has {controller}")


def start_sleeper(api):
    """A program that runs until its call is cancelled; its pid on the host."""
    found = []

    def look():
        for name in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(name, "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue  # it ended meanwhile
            if words[:2] == [b"/bin/sleep", MARK.encode()]:
                found.append(int(name.split("/")[2]))
        return found

    call = api.start(jobs.make_process("/bin/sleep", MARK))
    wait_until(look, 20)
    return call, found[0]


def read(*path):
    with open(os.path.join(*path), encoding="ascii") as file:
        return file.read().strip()


def test_programs_weigh_less_than_the_service(start_server):
    file, weight, default = (("cpu.weight", "20", "50")
                             if own_cgroup.unified_only() else
                             ("cpu.shares", "204", "512"))
    for config, expected in (({"sandbox": {"cpu_weight": 20}}, weight),
                             ({}, default)):
        server = start_server(config)
        api = jobs.Api(server.channel)
        call, pid = start_sleeper(api)
        group = os.path.dirname(group_of(pid, "cpu"))  # of all sandboxes
        assert read(group, file) == expected
        # The service is not in it, but beside it.
        service = group_of(server.pid, "cpu")
        assert not f"{service}/".startswith(f"{group}/")
        assert os.path.dirname(group) in (service, os.path.dirname(service))
        call.cancel()
        os.kill(server.pid, signal.SIGTERM)
        assert server.stop() == 0


AFFINITY = """
import os
print(*sorted(os.sched_getaffinity(0)))
try:
    os.sched_setaffinity(0, {0})
    print(*sorted(os.sched_getaffinity(0)))
except OSError as error:
    print(error.errno)
os.sched_setaffinity(0, range(os.sysconf("SC_NPROCESSORS_CONF") + 8))
print(*sorted(os.sched_getaffinity(0)))
for line in open("/proc/self/status"):
    if line.startswith("Cpus_allowed_list:"):
        print(line.split()[1])
"""


def test_programs_stay_on_the_cpus_they_are_given(start_server):
    cpus = sorted(os.sched_getaffinity(0))
    last = cpus[-1]
    config = {"sandbox": {"cpuset": str(last)}}
    # Also where the service is held to another CPU.
    server = start_server(config, wrapper=["taskset", "-c", str(cpus[0])])
    api = jobs.Api(server.channel)
    row, = (row for row in api.info().layers if row.layer == "cpuset")
    assert row.mechanism.endswith(f"cpuset.cpus {last}")
    seen = api.python(AFFINITY).stdout.data.decode().splitlines()
    refused = str(errno.EINVAL) if last != 0 else "0"
    assert seen == [str(last), refused, str(last), str(last)]
    # What more than one CPU's worth of time would need is not there.
    assert api.info().max_limits.cpus == 1


def test_the_affinity_of_the_service_is_not_that_of_programs(start_server):
    cpus = sorted(os.sched_getaffinity(0))
    server = start_server({"sandbox": {"cpuset": ",".join(map(str, cpus))}},
                          wrapper=["taskset", "-c", str(cpus[0])])
    # The control. Before Linux 6.2 a process forgets it in a cpuset of v2.
    if not own_cgroup.unified_only() or host.kernel() >= (6, 2):
        assert os.sched_getaffinity(server.pid) == {cpus[0]}
    seen = jobs.Api(server.channel).python(AFFINITY).stdout.data.decode()
    assert seen.splitlines()[0] == " ".join(map(str, cpus))


def test_without_a_set_programs_choose_among_all(server, api):
    """The control."""
    assert not [row for row in api.info().layers if row.layer == "cpuset"]
    cpus = " ".join(str(cpu) for cpu in sorted(os.sched_getaffinity(0)))
    seen = api.python(AFFINITY).stdout.data.decode().splitlines()
    assert seen[:3] == [cpus, "0", cpus]


def test_a_cpu_that_is_not_there_is_named(start_server):
    with pytest.raises(StartFailed) as caught:
        start_server({"sandbox": {"cpuset": "0,4000"}})
    assert "sandbox.cpuset" in caught.value.log
    assert "4000" in caught.value.log
