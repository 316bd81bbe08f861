"""What README.md and deploy/ tell to type does what they say."""

import os
import re
import subprocess

import pytest

from harness import accounting
from harness import leftovers
from harness import paths
from harness.time_scale import scaled

PADDOCK_ADDRESS = "127.0.0.1:50051"


def code_blocks():
    """The indented blocks of README.md, without their indentation."""
    with open(os.path.join(paths.ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read()
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip()
            for block in blocks]


def block_with(word):
    block, = (block for block in code_blocks() if word in block)
    return block


@pytest.fixture
def shell(server, tmp_path):
    """Runs a block of the page in a shell, against the test's server."""
    def run(script):
        script = script.replace(PADDOCK_ADDRESS, server.address)
        script = script.replace("/run/paddock/paddock.sock",
                                server.ready["unix_socket"])
        script = script.replace("/tmp/stubs", str(tmp_path))
        tools = (os.path.dirname(paths.PADDOCK), os.path.dirname(paths.BUF))
        path = ":".join([*tools, "/usr/bin", "/bin"])
        return subprocess.run(
            ["bash", "-e", "-c", script], cwd=paths.ROOT, timeout=60,
            capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": path})
    return run


def test_the_command_line(shell):
    done = shell(block_with("paddock run --cpu-time"))
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr


def test_python(shell):
    done = shell(block_with("client/python/generate.sh"))
    assert done.returncode == 0, done.stderr
    data, code, memory = done.stdout.rsplit(" ", 2)
    assert (data, code) == (r"b'hello\n'", "0")
    assert int(memory) > 0


def test_buf(shell):
    done = shell(block_with("buf curl"))
    assert done.returncode == 0, done.stderr
    assert "OUTCOME_SUCCEEDED" in done.stdout


def test_the_judge_of_the_quickstart(server):
    done = subprocess.run(
        ["/usr/bin/python3", f"{paths.ROOT}/deploy/judge/judge.py",
         paths.PADDOCK, server.unix_address], capture_output=True, text=True,
        timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 programs, 0 with another ending" in done.stdout


# In a /run and with ports of its own: another paddockd may use the usual ones.
# busybox, because a host may have no ip(8).
QUICKSTART = """
set -e
mount -t tmpfs own /run && mount -t tmpfs own /var/log
busybox ip link set lo up
deploy/quickstart --keep | tee /run/first
pid=$(sed -n 's/^  kill //p' /run/first)
"$PADDOCK_BUILD/bin/paddock" run --server unix:/run/paddock/paddock.sock \
  -- /bin/echo it is kept
if deploy/quickstart; then exit 9; fi
kill "$pid"
tail --pid="$pid" -f /dev/null
deploy/quickstart
"""


def test_quickstart_keeps_its_service_and_runs_again():
    """With what is built already: packages and build are left out."""
    before = leftovers.processes()
    done = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", QUICKSTART],
        cwd=paths.ROOT, env={**os.environ, "PADDOCK_BUILD": paths.BUILD},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=scaled(60), check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("8 programs, 0 with another ending") == 2
    assert "it is kept" in done.stdout
    assert "a paddockd answers on" in done.stdout
    assert leftovers.processes().keys() - before.keys() == set()


def test_the_judge_sees_a_wrong_ending(server, tmp_path):
    """The control: a client whose every answer is a success."""
    liar = tmp_path / "paddock"
    liar.write_text(
        "#!/bin/sh\n"
        "for word; do case $word in solution=*) touch ${word#*=};; esac; done\n"
        "echo '{\"result\": {\"process\": {\"outcome\": "
        "\"OUTCOME_SUCCEEDED\", \"exitCode\": 0}}}'\n")
    liar.chmod(0o755)
    done = subprocess.run(
        ["/usr/bin/python3", f"{paths.ROOT}/deploy/judge/judge.py", str(liar),
         server.unix_address], capture_output=True, text=True, timeout=60,
        check=False)
    assert done.returncode == 1
    assert "7 with another ending" in done.stdout, done.stdout


def test_latency_prints_ratios():
    """tests/bench/latency. What it measures is asserted nowhere."""
    ran = subprocess.run(
        [os.path.join(paths.ROOT, "tests", "bench", "latency"), "--calls", "10"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=scaled(120), check=False)
    assert ran.returncode == 0, ran.stdout
    for line in (r"4 ms between calls .* us = [\d.]+ x posix_spawn .* p99 ",
                 r"0 ms between calls .* us = [\d.]+ x posix_spawn .* p99 ",
                 r"1 caller .* jobs/s = ", r"2 callers .* jobs/s = ",
                 r"8 callers .* jobs/s = "):
        assert re.search(rf"^{line}", ran.stdout, re.MULTILINE), ran.stdout


def test_filter_cost_notifies_of_nothing_but_violations():
    """tests/bench/filter_cost, whose figures are in worker/README.md. What it
    measures is asserted nowhere; the last line is the control of the one above
    it."""
    ran = subprocess.run(
        [os.path.join(paths.BUILD, "bin", "filter_cost"), "3"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=scaled(60), check=False)
    assert ran.returncode == 0, ran.stdout
    for line in (r"getppid( +\d+\.\d+){5}", r"openat \+ close( +\d+\.\d+){5}",
                 "notifications of 3 programs that break no rule: 0",
                 "notifications of one that breaks a rule: 1"):
        assert re.search(f"^{line}$", ran.stdout, re.MULTILINE), ran.stdout


def test_accounting_prints_true_figures():
    """tests/bench/accounting, which tests/escape/README.md names. What else runs
    on this host may disturb one table."""
    for _ in range(3):
        ran = subprocess.run(
            [os.path.join(paths.ROOT, "tests", "bench", "accounting")],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=scaled(120), check=False)
        if "BEYOND THE TOLERANCE" not in ran.stdout:
            break
    assert ran.returncode == 0, ran.stdout
    names = ["static program that does nothing",
             "ended by its limit, median of 9", *(
        workload.name for workload in accounting.CPU + accounting.MEMORY)]
    for name in names:
        assert re.search(rf"^{re.escape(name)}  +\d+\.\d{{3}} ", ran.stdout,
                         re.MULTILINE), (name, ran.stdout)
    assert "BEYOND THE TOLERANCE" not in ran.stdout, ran.stdout
