"""boot itself: what comes back from a machine, and what does not."""

import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT = os.path.join(HERE, "boot")
E2E = os.path.join(os.path.dirname(HERE), "e2e")

# What a user needs who is given a cgroup, and what is still not the user's.
DELEGATED = """
set -eu
id -u
cd /sys/fs/cgroup/command
grep -q memory cgroup.controllers
mkdir main/leaf child
echo 0 >main/leaf/cgroup.procs
echo +memory +pids >cgroup.subtree_control
echo 33554432 >child/memory.max
cat child/memory.max
if echo 0 2>/dev/null >/sys/fs/cgroup/init/cgroup.procs; then echo escaped; fi
"""


def boot(*arguments, seconds=300):
    return subprocess.run([BOOT, *arguments], cwd=HERE, capture_output=True,
                          text=True, timeout=seconds, check=False)


@pytest.fixture(name="endless", scope="module", autouse=True)
def _endless():
    """Waits for its time-out beside the other machines."""
    with subprocess.Popen(
            [BOOT, "--timeout", "45", "--", "sh", "-c", "echo up; sleep 600"],
            cwd=HERE, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as process:
        yield process
        process.terminate()


def test_output_and_status_come_back_and_files_do_not():
    mark = os.path.join(HERE, "written-in-the-guest")
    done = boot("--", "sh", "-c",
                f"echo out; echo err >&2; uname -r; touch '{mark}' && "
                f"test -e '{mark}' && cat /proc/self/cgroup && exit 7")
    assert done.returncode == 7, done.stderr
    out, release, cgroup = done.stdout.splitlines()
    assert (out, done.stderr) == ("out", "err\n")
    assert release.startswith("6.1.")
    assert cgroup == "0::/command"  # one line: pure v2
    assert not os.path.exists(mark)


def test_a_user_has_a_delegated_cgroup():
    done = boot("--user", "nobody", "--release", "bookworm-backports", "--",
                "sh", "-c", DELEGATED)
    assert (done.returncode, done.stdout) == (0, "65534\n33554432\n"), (
        done.stderr)


def test_a_user_s_service_runs_programs_and_holds_limits():
    """With no root anywhere, neither the service's nor the tests'."""
    done = boot("--user", "nobody", "--release", "bookworm-backports",
                "--timeout", "280", "--env", "PADDOCK_BUILD", "--env",
                "PYTHONDONTWRITEBYTECODE=1", "--", "/usr/bin/python3", "-m",
                "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
                *(os.path.join(E2E, f"test_{theme}.py")
                  for theme in ("execute", "memory_limits", "count_limits")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_what_cannot_be_run_is_said():
    done = boot("--cpus", "many", "--", "true")
    assert done.returncode == 125
    assert "--cpus" in done.stderr


def test_a_command_that_does_not_end_is_stopped(endless):
    stdout, stderr = endless.communicate(timeout=300)
    assert endless.returncode == 124
    assert stdout == "up\n"
    assert "time-out" in stderr
