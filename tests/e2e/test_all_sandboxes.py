"""What holds for all sandboxes together, as the operator configured it."""

import glob
import os
import signal

from harness import jobs
from harness import own_cgroup
from harness.server import wait_until

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
