"""A worker may die at any moment: the client does not notice."""

import concurrent.futures
import itertools
import json
import os
import random
import signal
import subprocess
import threading
import time

from harness import jobs
from harness import leftovers
from harness import server as servers
from harness.leftovers import worker_pids
from harness.metrics import Scrape
from harness.server import wait_until
from harness.time_scale import fewer

KILLS = fewer(100, least=10)
WORKERS = 3
CLIENTS = 6


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_many_kills_under_load_cost_no_answer(start_server):
    """Each job is answered rightly, though workers die under them."""
    before = leftovers.snapshot()
    server = start_server({"workers": {"count": WORKERS}})
    api = jobs.Api(server.channel)
    done = threading.Event()
    wrong = []
    answers = []  # append is atomic

    def client(number):
        for turn in itertools.count():
            if done.is_set():
                return
            code = (number * 31 + turn) % 100
            result = api.run("/bin/sh", "-c", f"sleep 0.0{5 + turn % 5}; "
                             f"echo {number}-{turn}; exit {code}")
            answers.append(code)
            if (result.exit_code, result.stdout.data) != (
                    code, f"{number}-{turn}\n".encode()):
                wrong.append((number, turn, str(result)))

    chooser = random.Random(4711)
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, number) for number in range(CLIENTS)]
        try:
            for _ in range(KILLS):
                # One at a time: a job is tried again once, so its second
                # worker has to live until the job is answered.
                wait_until(lambda: len(worker_pids(server)) == WORKERS, 20)
                found = []
                wait_until(lambda: found.extend(
                    workers_that_run(server, b"sleep")) or found, 20)
                kill(chooser.choice(found))
                enough = len(answers) + 2 * CLIENTS
                wait_until(lambda: len(answers) >= enough, 20)
                time.sleep(chooser.uniform(0, 0.05))
        finally:
            done.set()
        for future in clients:
            future.result()
    assert not wrong, wrong[:3]
    assert len(answers) > KILLS
    wait_until(lambda: api.worker_states() == ["IDLE"] * WORKERS, 20)
    assert Scrape(server).total("paddock_worker_restarts_total") == KILLS
    assert "INFRASTRUCTURE" not in server.log()
    assert server.stop() == 0
    leftovers.assert_none_since(before)


def test_a_worker_killed_in_mid_run_costs_one_retry(start_server):
    server = start_server()
    api = jobs.Api(server.channel)
    before = set(worker_pids(server))
    call = api.start(jobs.make_process("/bin/sh", "-c", "sleep 1; echo x"))
    wait_until(lambda: "BUSY" in api.worker_states(), 5)
    time.sleep(0.3)
    worker, = workers_that_run(server, b"sleep 1; echo x")
    kill(worker)
    result = call.result().result
    assert result.outcome == jobs.SUCCEEDED
    assert result.process.stdout.data == b"x\n"
    wait_until(api.all_idle, 10)
    assert len(before - set(worker_pids(server))) == 1


def workers_that_run(server, words):
    """The pids of the workers whose program has `words` in its command line."""
    return [pid for pid in worker_pids(server)
            if any(words in command_line(child)
                   for child in leftovers.descendants(pid))]


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""  # it is gone


def test_the_program_of_a_killed_worker_dies(start_server):
    server = start_server()
    api = jobs.Api(server.channel)
    call = api.start(jobs.make_process("/bin/sleep", "30"))
    wait_until(lambda: "BUSY" in api.worker_states(), 5)
    time.sleep(0.2)
    below = {pid: leftovers.descendants(pid) for pid in worker_pids(server)}
    for pid in below:
        kill(pid)
    every = set().union(*below.values())
    assert every
    wait_until(lambda: not any(leftovers.is_alive(pid) for pid in every), 3)
    call.cancel()


def test_workers_that_keep_dying_do_not_end_the_service(start_server):
    server = start_server()
    api = jobs.Api(server.channel)
    for _ in range(5):
        for pid in worker_pids(server):
            kill(pid)
        time.sleep(0.1)
    wait_until(api.all_idle, 30)
    assert api.run("/bin/true").outcome == jobs.SUCCEEDED


def allow_network_namespaces(server, count):
    """In the service's own user namespace: the host's limit stays as it is."""
    subprocess.run(["nsenter", "--user", f"--target={server.pid}", "sh", "-c",
                    f"echo {count} >/proc/sys/user/max_net_namespaces"],
                   check=True)


def test_a_host_that_refuses_after_the_start_does_not_end_the_service(
        start_server):
    """Before, nobody is served yet, and it says what to change and ends
    (test_refusing_hosts.py). Later the refusal may pass."""
    server = start_server({"workers": {"count": 1}},
                          user=servers.FEW_CAPABILITIES)
    api = jobs.Api(server.channel)
    allow_network_namespaces(server, 0)
    kill(worker_pids(server)[0])
    for delay in ("100ms", "200ms", "400ms"):
        said = f"ended with exit status 78; the next one starts in {delay}"
        wait_until(lambda: said in server.log(), 20)
    assert "user.max_net_namespaces is 0" in server.log()
    assert server.poll() is None
    allow_network_namespaces(server, 1000)
    wait_until(api.all_idle, 20)
    assert api.run("/bin/true").outcome == jobs.SUCCEEDED


def test_what_ends_a_worker_is_counted_by_its_step(start_server):
    server = start_server({"workers": {"count": 1},
                           "log": {"format": "json"}},
                          user=servers.FEW_CAPABILITIES)
    api = jobs.Api(server.channel)

    def failures(**labels):
        return Scrape(server).total("paddock_sandbox_setup_failures_total",
                                    **labels)
    assert failures() == 0
    allow_network_namespaces(server, 0)
    # It takes the sandbox that stands ready; the next one cannot be built.
    assert api.run("/bin/true").outcome == jobs.SUCCEEDED
    wait_until(lambda: "worker 0 is replaced" in server.log(), 20)
    wait_until(lambda: failures(step="clone_init") > 0, 5)
    tries = server.log().count("a sandbox could not be built: clone3 of init")
    assert tries > 1
    assert failures(step="clone_init") == failures() == tries
    allow_network_namespaces(server, 1000)
    wait_until(api.all_idle, 20)
    # What a worker says is a part of the same log.
    for line in server.log().splitlines():
        assert json.loads(line)["level"] in ("info", "warning", "error"), line


def test_a_stopped_worker_does_not_hold_up_others(start_server):
    server = start_server()
    api = jobs.Api(server.channel)
    stopped = worker_pids(server)[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = list(pool.map(
                lambda _: api.run("/bin/true", limits=dict(wall_time=1)),
                range(8)))
        assert all(result.outcome == jobs.SUCCEEDED for result in results)
    finally:
        if leftovers.is_alive(stopped):
            os.kill(stopped, signal.SIGCONT)
