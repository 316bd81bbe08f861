"""Logs hold no secret; the server process holds no privilege."""

import contextlib
import json
import os

import pytest

from harness import errors
from harness import jobs
from harness import leftovers
from harness.server import wait_until

CANARY = "Xq7canary"


def run_with_canaries(api):
    """Jobs that carry the mark in everything a client can fill."""
    fields = dict(
        env={"NAME_A": CANARY, f"{CANARY}": "x"},
        secret_env={"TOKEN": CANARY}, stdin=CANARY.encode(),
        inputs={f"{CANARY}": CANARY.encode()})
    api.shell(f"echo {CANARY}; echo {CANARY} >&2; cp {CANARY} out; cat",
              outputs=["out"], **fields)
    api.shell("exit 3", **fields)
    api.run(f"/{CANARY}/not/there", **fields)
    errors.error_of(api.run, "/bin/true", working_directory=f"../{CANARY}",
                    **fields)
    errors.error_of(api.run, "/bin/true", env={"A=": CANARY})


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_byte_of_a_client_is_logged(start_server, log_format):
    server = start_server({"log": {"format": log_format, "level": "debug"}})
    run_with_canaries(jobs.Api(server.channel))
    server.stop()
    log = server.log()
    assert log.strip(), "the control: there is a log"
    assert CANARY not in log


def test_one_line_for_each_job(start_server):
    server = start_server({"log": {"format": "json"}})
    api = jobs.Api(server.channel)
    request = jobs.make_request(jobs.make_process("/bin/sh", "-c", "exit 3"))
    job_id = api.execution.Execute(request, timeout=30).job_id
    server.stop()
    lines = [line for line in server.log().splitlines() if job_id in line]
    assert len(lines) == 1, lines
    entry = json.loads(lines[0])
    assert entry["outcome"] == "nonzero_exit"
    assert entry["exit_code"] == 3
    assert 0 < entry["cpu_ms"]
    assert 0 < entry["wall_ms"] <= entry["total_ms"]
    assert 0 <= entry["queue_ms"] <= entry["total_ms"]
    assert 0 < entry["peak_memory_bytes"] < 1 << 30


def test_one_line_of_text_for_each_job(start_server):
    server = start_server()
    request = jobs.make_request(jobs.make_process("/bin/sh", "-c", "exit 3"))
    api = jobs.Api(server.channel)
    job_id = api.execution.Execute(request, timeout=30).job_id
    server.stop()
    line, = (line for line in server.log().splitlines() if job_id in line)
    for part in (" outcome=nonzero_exit ", " exit_code=3 ", " total_ms="):
        assert part in f"{line} ", line


def test_every_json_line_is_json(start_server):
    server = start_server({"log": {"format": "json"}})
    jobs.Api(server.channel).run("/bin/true")
    server.stop()
    lines = server.log().splitlines()
    assert lines
    for line in lines:
        assert isinstance(json.loads(line), dict), line


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":", 1) for line in file)


def is_child(pid, parent):
    try:
        return int(status_of(pid)["PPid"]) == parent
    except (FileNotFoundError, ProcessLookupError):
        return False  # of a sandbox that was taken down just now


def processes_of(server):
    """(the server role's pid, the workers' pids)."""
    lines = leftovers.processes()
    ours = leftovers.descendants(server.pid)
    role, workers = [], []
    for pid in ours:
        line = lines.get(pid, "")
        if "--role=server" in line:
            role.append(pid)
        elif "paddock-worker" in line and is_child(pid, server.pid):
            workers.append(pid)
    assert len(role) == 1, lines
    return role[0], workers


def test_the_server_process_has_no_privilege(server, api):
    api.run("/bin/true")
    pid, _ = processes_of(server)
    status = status_of(pid)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"
    uids = status["Uid"].split()
    assert len(set(uids)) == 1 and uids[0] != "0"
    gids = status["Gid"].split()
    assert len(set(gids)) == 1 and gids[0] != "0"
    assert set(status["Groups"].split()) <= {gids[0]}


def test_the_server_process_writes_no_core(server):
    pid, _ = processes_of(server)
    with open(f"/proc/{pid}/limits", encoding="utf-8") as file:
        core, = (line for line in file if line.startswith("Max core"))
    assert core.split()[4] in ("0", "1")
    # A process that is not dumpable belongs to root in /proc: proc(5).
    assert os.stat(f"/proc/{pid}/environ").st_uid == 0


# chown, dac_override, fowner, kill, setgid, setuid, setpcap, net_admin,
# sys_chroot, sys_admin: capabilities(7). worker/sandbox/privileges.cc says why.
WORKER_CAPABILITIES = sum(
    1 << number for number in (0, 1, 3, 5, 6, 7, 8, 12, 18, 21))


def test_workers_are_cut_down(server):
    _, workers = processes_of(server)
    assert len(workers) == server.config["workers"]["count"]
    for pid in workers:
        status = status_of(pid)
        for name in ("CapPrm", "CapEff", "CapBnd"):
            assert int(status[name], 16) == WORKER_CAPABILITIES, name
        for name in ("CapInh", "CapAmb"):
            assert int(status[name], 16) == 0, name
        assert status["Seccomp"].strip() == "2"
        assert status["Threads"].strip() == "1"
        for kind in ("mnt", "net"):
            own = os.readlink(f"/proc/self/ns/{kind}")
            assert os.readlink(f"/proc/{pid}/ns/{kind}") != own


def waiting_programs(server):
    """Pids of the programs of warm sandboxes: children of the workers' inits."""
    _, workers = processes_of(server)
    inits = [pid for pid in leftovers.descendants(server.pid)
             if any(is_child(pid, worker) for worker in workers)]
    return [pid for pid in leftovers.descendants(server.pid)
            if any(is_child(pid, init) for init in inits)]


def test_a_program_that_waits_has_no_privilege(server, api):
    """Before a byte of a client is seen."""
    count = server.config["workers"]["count"]

    def confined():
        found = []
        for pid in waiting_programs(server):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                status = status_of(pid)
                if status["Seccomp"].strip() == "2":  # its last step
                    found.append(status)
        return found
    wait_until(lambda: api.all_idle() and len(confined()) == count, 10)
    for status in confined():
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[name], 16) == 0, name
        assert status["NoNewPrivs"].strip() == "1"
        for name in ("Uid", "Gid"):
            ids = status[name].split()
            assert len(set(ids)) == 1 and int(ids[0]) > 0, name
        # Control: a process of ours has what is asked for here.
        assert int(status_of("self")["CapEff"], 16) != 0


def test_the_supervisor_has_one_thread(server):
    status = status_of(server.pid)
    assert status["Threads"].strip() == "1"
