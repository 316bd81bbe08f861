"""Kernels booted to be other than usual, and with cgroups of another kind."""

import os
import subprocess

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


def test_controllers_of_v1_that_share_a_hierarchy():
    """The host of these tests may have each in one of its own."""
    tests = [os.path.join(HERE, "..", "e2e", f"test_{name}.py") for name in
             ("count_limits", "memory_limits", "swap", "all_sandboxes", "long_run")]
    done = subprocess.run(
        [BOOT, "--timeout", "300", "--cgroups", "hybrid",
         "--env", f"PADDOCK_BUILD={os.path.dirname(BINARIES)}",
         "--env", "SANDBOX_TESTS_MUST_RUN=1", "--", "sh", "-ec",
         'cat /proc/self/cgroup; for test; do /usr/bin/python3 -m pytest -q -ra '
         '-p no:cacheprovider "$test"; done', "sh", *tests],
        cwd=HERE, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ":cpu,cpuacct:/command" in done.stdout, done.stdout
