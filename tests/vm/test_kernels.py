"""Kernels booted to be other than usual, with cgroups of another kind, and with
two CPUs."""

import os
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT = os.path.join(HERE, "boot")
BINARIES = os.path.join(
    os.environ.get("PADDOCK_BUILD",
                   os.path.join(HERE, "..", "..", "build", "dev")), "bin")

# In a cgroup of its own; prints what a program and the doctor print, and the
# reports of getpid by its number of x32 and its own.
SERVE = """
set -eu
mkdir /sys/fs/cgroup/paddock /tmp/paddock
echo '{"listen": {"grpc_address": "", "http_address": "",
       "unix_socket": "/tmp/paddock/run/socket"}, "workers": {"count": 1}}' \
  >/tmp/paddock/config
(echo 0 >/sys/fs/cgroup/paddock/cgroup.procs
 exec "$1/paddockd" --config /tmp/paddock/config --ready-fd 3) \
  3>/tmp/paddock/ready &
until [ -s /tmp/paddock/ready ]; do kill -0 $!; sleep 0.1; done
export PADDOCK_SERVER=unix:/tmp/paddock/run/socket
"$1/paddock" run -- /bin/echo it runs
"$1/paddock" run --quiet --file /tmp/probe="$1/probe" -- \
  /tmp/probe posix-queues 1000 || echo "queues end with $?"
for number in 0x40000027 39; do
  echo "outside $number $("$1/probe" calls $number)"
  echo "inside $number $("$1/paddock" run --quiet --file /tmp/probe="$1/probe" \
    -- /tmp/probe calls $number)"
done
"$1/paddock" doctor || echo "doctor ends with $?"
kill $!
wait $!
"""


def serve(*options):
    done = subprocess.run(
        [BOOT, "--timeout", "200", *options, "--", "sh", "-c", SERVE, "sh",
         os.path.realpath(BINARIES)], cwd=HERE, capture_output=True, text=True,
        timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_without_landlock_the_table_says_nothing_enforces_it():
    """Its control runs beside it: e2e_containers finds every layer enforced by
    the same kernel as Debian boots it."""
    lines = serve("--append", "lsm=capability,yama")
    assert "it runs" in lines
    assert any(line.startswith("landlock NONE") for line in lines)
    assert any(line.startswith("server landlock NONE") for line in lines)
    assert ("Not fully enforced: landlock (NONE), server landlock (NONE)."
            in lines)
    assert "doctor ends with 1" in lines
    # With it a program has none: escape_exhaustion.
    assert '{"done":9,"errno":24}' in "".join(lines).replace(" ", "")
    assert "queues end with 1" in lines
    assert f"outside 0x40000027 {ABSENT}" in lines


CALLED, ABSENT = '{"done": 1, "errno": 0}', '{"done": 0, "errno": 38}'


def test_x32_where_the_kernel_has_it():
    """Without the word it answers as the filter does: the control of
    escape_kernel's test_no_x32."""
    lines = serve("--append", "syscall.x32=y")
    assert f"outside 0x40000027 {CALLED}" in lines, lines
    assert f"inside 0x40000027 {ABSENT}" in lines, lines
    assert f"outside 39 {CALLED}" in lines
    assert f"inside 39 {CALLED}" in lines


def run_tests(script, names, *options):
    """Those files of tests/e2e, as `script` starts each $test."""
    tests = [os.path.join(HERE, "..", "e2e", f"test_{name}.py")
             for name in names]
    done = subprocess.run(
        [BOOT, "--timeout", "300", *options,
         "--env", f"PADDOCK_BUILD={os.path.dirname(BINARIES)}",
         "--env", "SANDBOX_TESTS_MUST_RUN=1", "--", "sh", "-ec", script, "sh",
         "/usr/bin/python3 -m pytest -q -ra -p no:cacheprovider", *tests],
        cwd=HERE, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_controllers_of_v1_that_share_a_hierarchy():
    """The host of these tests may have each in one of its own."""
    output = run_tests(
        'cat /proc/self/cgroup; run=$1; shift; for test; do $run "$test"; done',
        ["count_limits", "memory_limits", "swap", "all_sandboxes", "long_run",
         "cgroup_hosts", "support_matrix"],
        "--cgroups", "hybrid", "--env",
        "SANDBOX_TESTS_LACK=unified_controllers,landlock_ports")
    assert ":cpu,cpuacct:/command" in output, output


@pytest.mark.parametrize("release", ["bookworm", "bookworm-backports"])
def test_a_share_of_two_cpus_and_a_set_of_them(release):
    """With one CPU, as the other machines have it, both hold by themselves."""
    output = run_tests('nproc; exec $1 -k "cpus or affinity or choose or '
                       'one_cpu or slows_the or threads" "$2" "$3"',
                       ["all_sandboxes", "time_limits"],
                       "--release", release, "--cpus", "2")
    assert output.startswith("2\n"), output
