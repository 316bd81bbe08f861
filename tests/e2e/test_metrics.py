"""The figures an operator sees are those of the jobs that ran."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

from harness import errors
from harness import jobs
from harness import paths
from harness.metrics import Scrape
from harness.server import wait_until
from harness.time_scale import scaled

DEPLOY = os.path.join(paths.ROOT, "deploy")
NEEDED = {
    "paddock_build_info", "paddock_jobs_started_total",
    "paddock_processes_total", "paddock_jobs_rejected_total",
    "paddock_phase_seconds", "paddock_process_cpu_seconds",
    "paddock_process_memory_peak_bytes", "paddock_workers",
    "paddock_worker_restarts_total", "paddock_warm_sandboxes",
    "paddock_sandbox_setup_failures_total", "paddock_limit_hits_total",
    "paddock_profile_runs_total", "paddock_policy_violations_total",
    "paddock_process_output_bytes", "paddock_queue_depth",
    "paddock_queue_capacity", "paddock_queue_oldest_age_seconds",
    "paddock_memory_budget_bytes", "paddock_memory_admitted_bytes",
    "paddock_draining", "process_cpu_seconds_total", "process_open_fds",
    "process_max_fds", "process_resident_memory_bytes",
    "process_virtual_memory_bytes", "process_start_time_seconds",
    "paddock_oom_kills_total", "paddock_grpc_server_started_total",
    "paddock_grpc_server_handled_total",
    "paddock_grpc_server_handling_seconds",
}


def run_some_jobs(api):
    """Runs jobs of several endings; returns {outcome label: count} and how
    many processes the kernel killed for memory."""
    for _ in range(3):
        api.run("/bin/true")
    api.run("/bin/false")
    api.probe("signal", 9)
    api.probe("sleep", 20, limits=dict(wall_time=0.2))
    eaten = api.probe("eat", 64 << 20, limits=dict(memory_bytes=32 << 20))
    api.probe("foreign-call")
    return {"succeeded": 3, "nonzero_exit": 1, "signaled": 1,
            "wall_time_limit_exceeded": 1, "memory_limit_exceeded": 1,
            "policy_violation": 1}, eaten.usage.oom_kills


def outcomes(scrape):
    return {dict(labels)["outcome"].lower(): value
            for (name, labels), value in scrape.samples.items()
            if name == "paddock_processes_total"}


def test_counts_are_those_of_the_jobs(start_server):
    server = start_server()
    api = jobs.Api(server.channel)
    ran, oom_kills = run_some_jobs(api)
    errors.error_of(api.run, "", timeout=5)
    scrape = Scrape(server)
    counted = outcomes(scrape)
    assert {name: counted.get(name, 0) for name in ran} == ran
    total = sum(ran.values())
    assert sum(counted.values()) == total
    assert scrape.total("paddock_jobs_started_total") == total
    assert scrape.total("paddock_jobs_rejected_total") == 1
    assert scrape.total("paddock_jobs_rejected_total",
                        reason="invalid_argument") == 1
    assert scrape.total("paddock_oom_kills_total") == oom_kills
    assert scrape.total("paddock_process_cpu_seconds_count") == total
    assert scrape.total("paddock_process_memory_peak_bytes_count") == total
    assert scrape.total("paddock_phase_seconds_count", phase="run") == total
    assert scrape.total("paddock_limit_hits_total", limit="wall_time") == 1
    assert scrape.total("paddock_limit_hits_total", limit="memory") == 1
    assert scrape.total("paddock_worker_restarts_total") == 0
    assert scrape.total("paddock_policy_violations_total") == 1
    check_grpc_counts(scrape, total)


def check_grpc_counts(scrape, total):
    labels = {"grpc_service": "paddock.v1.ExecutionService",
              "grpc_method": "Execute"}
    prefix = "paddock_grpc_server"
    assert scrape.total(f"{prefix}_started_total", **labels) == total + 1
    assert scrape.total(f"{prefix}_handled_total", grpc_code="OK",
                        **labels) == total
    assert scrape.total(f"{prefix}_handled_total",
                        grpc_code="InvalidArgument", **labels) == 1
    assert scrape.total(f"{prefix}_handling_seconds_count",
                        **labels) == total + 1


def handled(server):
    """{code: count} of Execute's ends, without zeros."""
    return {dict(labels)["grpc_code"]: value
            for (name, labels), value in Scrape(server).samples.items()
            if name == "paddock_grpc_server_handled_total" and value
            and dict(labels)["grpc_method"] == "Execute"}


def test_a_call_that_its_client_ends_is_not_counted_as_ok(start_server):
    server = start_server()
    api = jobs.Api(server.channel)
    sleep = jobs.make_process("/bin/sleep", "60")
    call = api.start(sleep)
    wait_until(lambda: "BUSY" in api.worker_states(), 10)
    call.cancel()
    wait_until(lambda: handled(server) == {"Canceled": 1}, 10, 0.05)
    wait_until(api.all_idle, 10)
    # Time for an emulated client to come so far that it can be stopped.
    deadline = min(scaled(2), 4)
    with subprocess.Popen(
            [paths.PADDOCK, "run", "--server", server.address, "--deadline",
             f"{deadline:g}s", "--", "/bin/sleep", "60"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as client:
        wait_until(lambda: "BUSY" in api.worker_states(), 2)
        # Its own clock would cancel the call, in a race with the server's.
        client.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: handled(server) == {
                "Canceled": 1, "DeadlineExceeded": 1}, 10, 0.05)
        finally:
            client.kill()  # a stopped one too
    api.run("/bin/true")
    assert handled(server) == {"Canceled": 1, "DeadlineExceeded": 1, "OK": 1}


def test_every_metric_of_the_issue_is_there(server, api):
    api.run("/bin/true")
    assert NEEDED - Scrape(server).names() == set()


def test_workers_and_warm_sandboxes_are_gauges_of_now(server, api):
    wait_until(api.all_idle, 10)
    count = len(api.workers())

    def states():
        scrape = Scrape(server)
        return {state: scrape.total("paddock_workers", state=state)
                for state in ("idle", "busy")}
    assert states() == {"idle": count, "busy": 0}
    wait_until(lambda: Scrape(server).value("paddock_warm_sandboxes") == count,
               5, 0.1)
    call = api.start(jobs.make_process("/bin/sleep", "1"))
    wait_until(lambda: states()["busy"] == 1, 5)
    call.result()


def test_teardown_is_counted_after_the_answer(server, api):
    name = "paddock_phase_seconds_count"
    before = Scrape(server).total(name, phase="teardown")
    api.run("/bin/true")
    wait_until(lambda: Scrape(server).total(name, phase="teardown")
               >= before + 1, 5, 0.1)


def test_no_label_comes_from_a_client(server, api):
    api.run("/bin/echo", "canary-argument", name="canary-name",
            env={"CANARY": "canary-value"})
    assert "canary" not in Scrape(server).text.lower()


def test_promtool_finds_nothing_to_complain_of(server, api):
    run_some_jobs(api)
    done = subprocess.run(["promtool", "check", "metrics"],
                          input=Scrape(server).text, text=True,
                          capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_other_paths_are_not_found(server):
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.http_get("/no-such-path")
    assert refused.value.code == 404


# What the dashboard has to show: outcomes and rate, latency by phase, workers,
# memory.
SHOWN = {
    "paddock_processes_total", "paddock_phase_seconds", "paddock_workers",
    "paddock_process_memory_peak_bytes",
}


def metrics_used(text):
    names = set(re.findall(r"\bpaddock_\w+", text))
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in names}


def test_the_dashboard_uses_metrics_that_exist(server, api):
    api.run("/bin/true")
    with open(f"{DEPLOY}/grafana/paddock.json", encoding="utf-8") as file:
        dashboard = json.load(file)
    expressions = [target["expr"] for panel in dashboard["panels"]
                   for target in panel.get("targets", ())]
    assert len(expressions) >= 8
    used = set().union(*map(metrics_used, expressions))
    assert used - Scrape(server).names() == set()
    assert SHOWN - used == set()
    for grouping in ("by (outcome)", "by (le, phase)", "by (state)"):
        assert any(grouping in expression for expression in expressions)


@pytest.mark.parametrize("said", [b"", b"G"])
def test_idle_connections_do_not_keep_probes_waiting(server, said):
    port = server.ready["http_port"]
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            idle = stack.enter_context(
                socket.create_connection(("127.0.0.1", port), timeout=5))
            idle.sendall(said)
        for path in ("/readyz", "/healthz", "/metrics"):
            assert server.http_get(path)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def prometheus(server, tmp_path):
    """A real Prometheus with our configuration; returns its address."""
    with open(f"{DEPLOY}/prometheus/prometheus.yml", encoding="utf-8") as file:
        config = file.read()
    assert "127.0.0.1:9464" in config
    config = config.replace("127.0.0.1:9464",
                            f"127.0.0.1:{server.ready['http_port']}")
    config = re.sub(r"scrape_interval: \w+", "scrape_interval: 1s", config)
    (tmp_path / "prometheus.yml").write_text(config)
    subprocess.run(["promtool", "check", "config", "prometheus.yml"],
                   cwd=tmp_path, check=True, capture_output=True)
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        ["prometheus", "--config.file=prometheus.yml",
         "--storage.tsdb.path=data", f"--web.listen-address={address}"],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield address
    process.terminate()
    process.wait(timeout=20)


def query(address, expression):
    url = (f"http://{address}/api/v1/query?"
           + urllib.parse.urlencode({"query": expression}))
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            result = json.load(answer)["data"]["result"]
    except OSError:
        return None  # not listening yet
    return float(result[0]["value"][1]) if result else None


def test_a_real_prometheus_scrapes_it(server, api, prometheus):
    for _ in range(3):
        api.run("/bin/true")
    counted = Scrape(server).total("paddock_processes_total")
    wait_until(lambda: query(prometheus, "sum(paddock_processes_total)")
               == counted, 30, 0.3)
    assert query(prometheus, 'up{job="paddock"}') == 1
