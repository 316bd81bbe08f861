"""What a program can see and reach of the host: nothing. With controls."""

import os
import socket
import subprocess
import tempfile

import pytest

from harness import jobs
from harness import paths

EPERM, ENOENT, EROFS, EACCES = 1, 2, 30, 13


def on_host(*arguments):
    """The control: the probe's report where nothing stops it."""
    import json
    done = subprocess.run([paths.PROBE, *map(str, arguments)],
                          capture_output=True, check=False)
    return json.loads(done.stdout)


def inside(api, *arguments):
    return jobs.probe_report(api.probe(*arguments))


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/root", "/run",
                                    "/etc", "/dev/shm"])
def test_a_file_of_the_host_is_not_there(api, folder):
    with tempfile.NamedTemporaryFile(dir=folder, prefix="canary-") as canary:
        canary.write(b"host secret")
        canary.flush()
        os.chmod(canary.name, 0o644)
        assert on_host("read-file", canary.name) == {"done": 11, "errno": 0}
        assert inside(api, "read-file", canary.name)["errno"] == ENOENT
        through_proc = f"/proc/1/root{canary.name}"
        assert inside(api, "read-file", through_proc)["errno"] in (
            ENOENT, EACCES)


def test_the_image_cannot_be_written(api):
    for path in ("/usr/canary", "/etc/canary", "/bin/canary", "/canary"):
        assert inside(api, "write-file", path, 1)["errno"] in (EROFS, EACCES)
    assert inside(api, "write-file", "/work/canary", 1)["errno"] == 0


def test_other_processes_are_not_seen(api):
    result = api.shell("ls -d /proc/[0-9]* | wc -l; echo $$")
    count, own = result.stdout.data.split()
    assert int(own) == 2
    assert int(count) <= 4  # hidepid hides init; sh, ls and wc stay


def test_a_signal_to_everyone_reaches_nobody(api):
    before = [worker.start_time.ToNanoseconds() for worker in api.workers()]
    api.probe("kill-all")
    assert api.run("/bin/true").outcome == jobs.SUCCEEDED
    assert [worker.start_time.ToNanoseconds()
            for worker in api.workers()] == before


def test_no_privilege_in_any_set(api):
    status = api.run("/bin/cat", "/proc/self/status").stdout.data.decode()
    fields = dict(line.split(":\t", 1) for line in status.splitlines()
                  if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(fields[name], 16) == 0, name
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"
    assert fields["Uid"].split() == ["1000"] * 4
    assert fields["Gid"].split() == ["1000"] * 4
    assert not fields["Groups"].strip()


def test_every_namespace_is_its_own(api):
    kinds = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts", "time"]
    script = "for n in %s; do readlink /proc/self/ns/$n; done" % " ".join(kinds)
    runs = [api.shell(script).stdout.data.decode().split() for _ in range(2)]
    host = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
    for seen in runs:
        assert len(seen) == len(kinds)
        assert not set(seen) & set(host)
    assert not set(runs[0]) & set(runs[1])


def test_no_new_user_namespace(api):
    assert on_host("unshare-user")["errno"] == 0
    assert inside(api, "unshare-user")["errno"] == EPERM


@pytest.mark.parametrize("name, family", [
    ("AF_NETLINK", 16), ("AF_PACKET", 17), ("AF_VSOCK", 40), ("AF_ALG", 38)])
def test_strange_sockets_are_refused(api, name, family):
    assert inside(api, "socket", family)["errno"] != 0, name


def test_a_unix_socket_is_allowed(api):
    assert inside(api, "socket", socket.AF_UNIX)["errno"] == 0


CONNECT = ("import socket, sys\n"
           "s = socket.socket(socket.AF_INET if len(sys.argv) > 1 "
           "else socket.AF_UNIX)\n")


def test_the_service_itself_cannot_be_reached(server, api):
    script = ("import socket\n"
              "try:\n"
              "  s = socket.create_connection(('127.0.0.1', %d), 2)\n"
              "  print('connected')\n"
              "except OSError as e: print('refused')\n"
              % server.ready["grpc_port"])
    control = subprocess.run(["/usr/bin/python3", "-c", script],
                             capture_output=True, check=True)
    assert control.stdout == b"connected\n"
    assert api.python(script).stdout.data == b"refused\n"
    from paddock.v1 import process_pb2
    result = api.python(script, network=process_pb2.NETWORK_LOOPBACK)
    assert result.stdout.data == b"refused\n"


def test_loopback_only_where_asked(api):
    from paddock.v1 import process_pb2
    script = ("import socket\n"
              "try:\n"
              "  server = socket.create_server(('127.0.0.1', 0))\n"
              "  client = socket.create_connection(server.getsockname(), 2)\n"
              "  print('works')\n"
              "except OSError as error: print('refused')\n")
    assert api.python(script).stdout.data == b"refused\n"
    result = api.python(script, network=process_pb2.NETWORK_LOOPBACK)
    assert result.stdout.data == b"works\n"


def test_the_socket_of_the_service_is_not_in_the_tree(server, api):
    path = server.ready["unix_socket"]
    assert os.path.exists(path)
    assert inside(api, "read-file", path)["errno"] == ENOENT


def test_the_environment_of_the_service_is_not_seen(start_server):
    server = start_server(environment={**os.environ, "HOST_SECRET": "canary"})
    api = jobs.Api(server.channel)
    script = "env; cat /proc/1/environ /proc/self/environ 2>&1"
    assert b"canary" not in api.shell(script).stdout.data


def test_the_host_name_is_hidden(api):
    name = api.run("/bin/uname", "-n").stdout.data.decode().strip()
    assert name and name != socket.gethostname()


def test_sysfs_and_cgroupfs_are_not_there(api):
    result = api.shell("ls /sys 2>/dev/null | wc -l; cat /proc/self/cgroup")
    lines = result.stdout.data.decode().splitlines()
    assert lines[0] == "0"
    for line in lines[1:]:
        assert line.split(":", 2)[2] == "/", line


def test_what_is_writable_is_stated(api):
    script = ("for d in / /usr /etc /proc /dev /work /tmp /dev/shm /var /home; "
              "do [ -w $d ] && echo $d; done; true")
    assert api.shell(script).stdout.data.split() == [
        b"/work", b"/tmp", b"/dev/shm"]


def controllers_of(pid):
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
        lines = [line.strip().split(":", 2) for line in file]
    return {name: path for _, names, path in lines
            for name in names.split(",")}


def test_sandboxes_are_in_the_second_lines_of_the_host(server, api):
    """On v1 the worker sits in them, and what it clones is born there."""
    layers = {layer.layer: layer.mechanism for layer in api.info().layers}
    workers = [pid for pid in os.listdir("/proc") if pid.isdigit()
               and parent_and_name(pid) == (server.pid, "paddock-worker")]
    assert len(workers) == 2
    for controller, layer, mechanism in (
            ("devices", "devices", "cgroup v1 devices"),
            ("hugetlb", "huge_pages", "cgroup hugetlb 0")):
        for pid in workers:
            path = controllers_of(pid).get(controller)
            if path is not None:  # the host has it on v1
                assert "/paddock-" in path, path
                assert mechanism in layers[layer]


def parent_and_name(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file
                          if ":\t" in line)
    except OSError:
        return None  # it ended meanwhile
    return int(fields["PPid"]), fields["Name"]
