"""Starting and stopping: configuration, second servers, signals."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

import grpc
import pytest

from harness import jobs
from harness import leftovers
from harness import paths
from harness.server import StartFailed, base_config, wait_until

SECOND_START_SECONDS = 20


def run_paddockd(*arguments, config=None, environment=None, **fields):
    """paddockd with `arguments`, to its end."""
    arguments = list(arguments)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        if config is not None:
            file.write(config if isinstance(config, str)
                       else json.dumps(config))
            file.flush()
            os.chmod(file.name, 0o644)
            arguments += ["--config", file.name]
        return subprocess.run(
            [paths.PADDOCKD, *arguments], capture_output=True, text=True,
            timeout=SECOND_START_SECONDS, check=False,
            env={**os.environ, **(environment or {})}, **fields)


def check_config(config, **fields):
    return run_paddockd("--check-config", config=config, **fields)


def test_a_good_configuration_is_good(tmp_path):
    done = check_config(base_config(str(tmp_path)))
    assert done.returncode == 0, done.stderr


BAD_CONFIGS = {
    "unknown field": ("listen:\n  grpc_adress: x\n", "listen.grpc_adress"),
    "unknown section": ("lisen: {}\n", "lisen"),
    "wrong type": ("workers:\n  count: many\n", "workers.count"),
    "no workers": ("workers:\n  count: 0\n", "workers.count"),
    "too many workers": ("workers:\n  count: 5000\n", "workers.count"),
    "bad address": ("listen:\n  grpc_address: nonsense\n",
                    "listen.grpc_address"),
    "bad port": ("listen:\n  grpc_address: '127.0.0.1:99999'\n",
                 "listen.grpc_address"),
    "bad socket mode": ("listen:\n  unix_socket_mode: '0999'\n",
                        "listen.unix_socket_mode"),
    "relative socket": ("listen:\n  unix_socket: a.sock\n",
                        "listen.unix_socket"),
    "bad level": ("log:\n  level: loud\n", "log.level"),
    "bad format": ("log:\n  format: xml\n", "log.format"),
    "bad duration": ("shutdown:\n  grace: soon\n", "shutdown.grace"),
    "negative limit": ("requests:\n  max_limits:\n    memory_bytes: -1\n",
                       "requests.max_limits.memory_bytes"),
    "default above maximum": (
        "requests:\n  default_limits:\n    processes: 99\n"
        "  max_limits:\n    processes: 9\n",
        "requests.default_limits.processes"),
    "image twice": (
        "sandbox:\n  images:\n    - {name: a, host: {}}\n"
        "    - {name: a, host: {}}\n", "sandbox.images[1]"),
    "image relative": (
        "sandbox:\n  images:\n    - {name: host, host: {}}\n"
        "    - {name: a, directory: rel}\n", "sandbox.images[1].directory"),
    "default image missing": ("sandbox:\n  default_image: gone\n",
                              "sandbox.default_image"),
    "degrade what is needed": ("cgroup:\n  degrade: [memory]\n",
                               "cgroup.degrade"),
    "not YAML": ("listen: [\n", "2"),
    "a list": ("- listen\n", ""),
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_a_bad_configuration_is_refused_by_name(name):
    text, field = BAD_CONFIGS[name]
    done = check_config(text)
    assert done.returncode not in (0, None) and done.returncode > 0
    assert field in done.stderr, done.stderr


def test_a_configuration_file_that_is_not_there():
    done = run_paddockd("--config", "/no/such/file", "--check-config")
    assert done.returncode > 0
    assert "/no/such/file" in done.stderr


def test_print_config_shows_every_default():
    done = run_paddockd("--print-config")
    assert done.returncode == 0, done.stderr
    for word in ("grpc_address", "127.0.0.1:50051", "unix_socket",
                 "127.0.0.1:9464", "max_limits", "grace"):
        assert word in done.stdout, done.stdout
    # What is printed is a configuration.
    assert check_config(done.stdout).returncode == 0


def printed_workers(*arguments, **fields):
    done = run_paddockd("--print-config", *arguments, **fields)
    assert done.returncode == 0, done.stderr
    line, = (line for line in done.stdout.splitlines()
             if line.strip().startswith("count:"))
    return int(line.split(":")[1])


def test_flag_over_environment_over_file_over_default():
    config = {"workers": {"count": 3}}
    environment = {"PADDOCK_WORKERS__COUNT": "4"}
    assert printed_workers(config=config) == 3
    assert printed_workers(config=config, environment=environment) == 4
    assert printed_workers("--workers", "5", config=config,
                           environment=environment) == 5


def test_without_root_and_delegation_it_says_what_to_do(tmp_path):
    os.chmod(tmp_path, 0o777)
    done = run_paddockd(config=base_config("/tmp"), user=65534, group=65534,
                        extra_groups=[])
    assert done.returncode > 0
    assert "cgroup" in done.stderr and "Delegate=yes" in done.stderr
    assert "as root" in done.stderr


def test_a_second_server_on_the_same_port(start_server):
    first = start_server()
    with pytest.raises(StartFailed) as failed:
        start_server({"listen": {"grpc_address": first.address}})
    assert str(first.ready["grpc_port"]) in failed.value.log
    assert "in use" in failed.value.log
    assert failed.value.status not in (0, "silent")
    undisturbed(first)


def test_a_second_server_on_the_same_socket(start_server):
    first = start_server()
    inode = os.stat(first.ready["unix_socket"]).st_ino
    with pytest.raises(StartFailed) as failed:
        start_server({"listen": {"unix_socket": first.ready["unix_socket"]}})
    assert first.ready["unix_socket"] in failed.value.log
    assert failed.value.status not in (0, "silent")
    assert os.stat(first.ready["unix_socket"]).st_ino == inode
    undisturbed(first)


def test_a_second_server_on_the_same_metrics_port(start_server):
    first = start_server()
    with pytest.raises(StartFailed) as failed:
        start_server({"listen": {
            "http_address": f"127.0.0.1:{first.ready['http_port']}"}})
    assert str(first.ready["http_port"]) in failed.value.log
    undisturbed(first)


def undisturbed(server):
    assert server.poll() is None
    for address in (server.address, server.unix_address):
        channel = server.new_channel(address)
        assert jobs.Api(channel).run("/bin/true").outcome == jobs.SUCCEEDED
        channel.close()
    assert "paddock_build_info" in server.http_get("/metrics")


def test_two_servers_apart_do_not_meet(start_server):
    first, second = start_server(), start_server()
    for server in (first, second, first):
        api = jobs.Api(server.channel)
        assert api.run("/bin/true").outcome == jobs.SUCCEEDED
    assert second.stop() == 0
    undisturbed(first)


def test_a_port_of_an_ipv6_address(start_server):
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
    # A free port for HTTP would let it bind any.
    server = start_server({"listen": {"grpc_address": f"[::1]:{port}",
                                      "http_address": ""}})
    assert server.ready["grpc_port"] == port
    channel = server.new_channel(f"[::1]:{port}")
    assert jobs.Api(channel).run("/bin/true").outcome == jobs.SUCCEEDED
    channel.close()


def test_the_socket_has_the_mode_asked_for(start_server):
    server = start_server({"listen": {"unix_socket_mode": "0600"}})
    assert os.stat(server.ready["unix_socket"]).st_mode & 0o777 == 0o600


def test_a_socket_left_by_a_killed_server_is_taken(start_server):
    first = start_server()
    first.kill()
    second = start_server({"listen": {
        "unix_socket": first.ready["unix_socket"]}})
    undisturbed(second)


def test_sigterm_finishes_what_runs(start_server):
    server = start_server()
    api = jobs.Api(server.new_channel())
    call = api.start(jobs.make_process("/bin/sleep", "1.5"))
    wait_until(lambda: "BUSY" in api.worker_states(), 5)
    os.kill(server.pid, signal.SIGTERM)
    assert call.result().result.outcome == jobs.SUCCEEDED
    assert server.stop() == 0
    assert not os.path.exists(server.ready["unix_socket"])


def test_sigterm_refuses_new_jobs(start_server):
    server = start_server()
    api = jobs.Api(server.new_channel())
    call = api.start(jobs.make_process("/bin/sleep", "1.5"))
    wait_until(lambda: "BUSY" in api.worker_states(), 5)
    os.kill(server.pid, signal.SIGTERM)
    time.sleep(0.5)
    with pytest.raises(grpc.RpcError) as refused:
        api.run("/bin/true", timeout=5)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    assert call.result().result.outcome == jobs.SUCCEEDED


def test_the_grace_bounds_a_stop(start_server):
    server = start_server({"shutdown": {"grace": "0.5s"}})
    call = jobs.Api(server.new_channel()).start(
        jobs.make_process("/bin/sleep", "60"))
    time.sleep(0.5)
    start = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - start < 5
    assert call.exception() is not None or (
        call.result().result.outcome != jobs.SUCCEEDED)


def test_a_second_sigterm_stops_now(start_server):
    server = start_server()
    jobs.Api(server.new_channel()).start(jobs.make_process("/bin/sleep", "60"))
    time.sleep(0.5)
    os.kill(server.pid, signal.SIGTERM)
    time.sleep(0.3)
    start = time.monotonic()
    os.kill(server.pid, signal.SIGTERM)
    wait_until(lambda: server.poll() is not None, 5)
    assert time.monotonic() - start < 5


# Those that count what happens, or that the kernel moves itself: proc_sys(5).
COUNTERS = {f"/proc/sys/{name}" for name in (
    "fs/aio-nr", "fs/dentry-state", "fs/file-nr", "fs/inode-nr",
    "fs/inode-state", "fs/quota/syncs", "kernel/hung_task_detect_count",
    "kernel/ns_last_pid", "kernel/perf_event_max_sample_rate", "kernel/pty/nr",
    "kernel/random/entropy_avail", "kernel/random/uuid",
    "net/netfilter/nf_conntrack_count")}


def host_settings():
    """{file: content} of what a host is set to: sysctls, mounts, users."""
    files = [f"{folder}/{name}" for folder, _, names in os.walk("/proc/sys")
             for name in names]
    files += ["/proc/self/mountinfo", "/etc/passwd", "/etc/group"]
    found = {}
    for path in set(files) - COUNTERS:
        with contextlib.suppress(OSError):  # some can only be written
            with open(path, "rb") as file:
                found[path] = file.read()
    return found


def test_the_host_is_set_as_before(start_server):
    """While it runs, too; a service before it has made the system user."""
    start_server().stop()
    before = host_settings()
    assert len(before) > 500
    server = start_server()
    jobs.Api(server.channel).run("/bin/true")
    while_it_runs = host_settings()
    server.stop()
    for now in (while_it_runs, host_settings()):
        assert {path for path in before.keys() | now.keys()
                if before.get(path) != now.get(path)} == set()


def test_a_stop_leaves_nothing(start_server):
    before = leftovers.snapshot()
    server = start_server()
    jobs.Api(server.channel).run("/bin/true")
    assert leftovers.since(before)  # the control: something was there
    assert server.stop() == 0
    leftovers.assert_none_since(before)
