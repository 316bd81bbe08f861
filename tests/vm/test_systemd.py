"""The units of deploy/systemd, and paddockd by systemd-run, under a real systemd
on cgroup v2.

As a program prints what support_matrix.py writes into README.md.
"""

import json
import os
import re
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness import paths  # noqa: E402 (found by the path set here)
from harness import support_matrix  # noqa: E402

RELEASES = ["bookworm", "bookworm-backports"]

# `run`: as whom; `control`: systemctl of that manager; `session`: which it is.
ASK = r"""
unit() {
  echo "start $($control start paddock; echo $?)"
  echo "group $(cat "/proc/$($control show -P MainPID paddock)/cgroup")"
  echo "output $($run "$BIN/paddock" run --quiet -- /bin/echo it runs)"
  $run "$BIN/paddock" run --quiet --memory 16M -- \
    /usr/bin/perl -e '$x = "x" x (64 << 20)'
  echo "memory $?"
  $run "$BIN/paddock" run --quiet --memory 96M -- \
    /usr/bin/perl -e '$x = "x" x (16 << 20)'
  echo "control $?"
  $run "$BIN/paddock" doctor
  kill -KILL "$($control show -P MainPID paddock)"
  for _ in $(seq 100); do
    sleep 0.3
    again=$($run "$BIN/paddock" run --quiet -- /bin/echo again 2>&1) && break
  done
  echo "after SIGKILL: $again, $($control show -P NRestarts paddock) restart"
  echo "stop $($control stop paddock; echo $?)"
  $control show -p Result paddock
  echo "left $(find /sys/fs/cgroup -name '*paddock*')"
}
scope() {
  $run systemd-run $session --scope -p Delegate=yes "$BIN/paddockd" "$@" \
    >/run/scope 2>&1 &
  until grep 'paddockd is ready' /run/scope; do
    kill -0 $! || break
    sleep 0.3
  done
  if kill -0 $!; then
    echo "group $(cat /proc/$!/cgroup)"
    echo "output $($run "$BIN/paddock" run --quiet -- /bin/echo it runs)"
    $run "$BIN/paddock" doctor | grep ^cpuset
    kill $!
  fi
  wait $!
  echo "end $?"
  cat /run/scope
}
uname -r
echo '{"sandbox": {"cpuset": "0"}}' >/run/cpuset
run='' session='' control=systemctl
echo == system unit
unit
echo == system scope
scope --config /run/cpuset
systemctl start user@65534
run='setpriv --reuid=65534 --regid=65534 --clear-groups
  env XDG_RUNTIME_DIR=/run/user/65534 HOME=/nonexistent
  PADDOCK_SERVER=unix:/run/user/65534/paddock/paddock.sock'
session=--user control="$run systemctl --user"
echo == user unit
unit
echo == user scope
scope
echo == user cpuset
scope --config /run/cpuset
echo == user unit with ids
echo nobody:100000:65536 | tee /etc/subuid >/etc/subgid
echo "start $($control start paddock; echo $?)"
echo "output $($run "$BIN/paddock" run --quiet -- /bin/echo it runs)"
echo "map $($run "$BIN/paddock" run --quiet -- /bin/cat /proc/self/uid_map)"
$run "$BIN/paddock" doctor
echo "stop $($control stop paddock; echo $?)"
"""


def under_systemd(release):
    """{part of ASK: what it printed}."""
    done = subprocess.run(
        [os.path.join(HERE, "boot"), "--release", release, "--timeout", "400",
         "--", os.path.join(HERE, "systemd.sh"),
         os.path.realpath(os.path.dirname(paths.PADDOCKD)), ASK], cwd=HERE,
        capture_output=True, text=True, timeout=450, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    head, *rest = re.split(r"^== (.*)\n", done.stdout, flags=re.MULTILINE)
    return {"kernel": head, **dict(zip(rest[::2], rest[1::2]))}


def matrix(parts):
    return {kind: support_matrix.cells_of_doctor(parts[part]) for kind, part in
            zip(support_matrix.UNITS, ("system unit", "user unit"))}


@pytest.fixture(name="parts", scope="module", params=RELEASES)
def _parts(request):
    return under_systemd(request.param)


def test_each_kernel_is_another(parts, request):
    newer = "bookworm-backports" in request.node.name
    assert parts["kernel"].startswith("6.1.") != newer, parts["kernel"]


@pytest.mark.parametrize("kind, group, verdict", [
    ("system", r"/system\.slice/paddock\.service/paddock-\d+-\w+/daemon",
     "Every limit and layer is enforced."),
    ("user", r"/user\.slice/user-65534\.slice/user@65534\.service/app\.slice/"
             r"paddock\.service/paddock-\d+-\w+/daemon",
     # user@.service delegates no io controller, and nobody has but one id.
     "Not fully enforced: user_ids (NONE), io_accounting (NONE)."),
], ids=["system", "user"])
def test_a_unit_serves_restarts_and_leaves_nothing(parts, kind, group, verdict):
    text = parts[f"{kind} unit"]
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "start 0" in lines, text
    assert re.search(rf"^group 0::{group}$", text, re.MULTILINE), text
    assert "output it runs" in lines, text
    assert "memory 137" in lines, text
    assert "control 0" in lines, text
    assert "kill ENFORCED cgroup v2 cgroup.kill" in lines, text
    assert verdict in lines, text
    assert "after SIGKILL: again, 1 restart" in lines, text
    assert "stop 0" in lines, text
    assert "Result=success" in lines, text
    assert "left" in lines, text


def test_a_users_unit_takes_the_ids_of_etc_subuid(parts):
    text = parts["user unit with ids"]
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "start 0" in lines and "output it runs" in lines, text
    ids, = (line.split() for line in lines if line.startswith("map "))
    # Outside: as the namespace of the daemon calls it, where 0 is the user.
    assert ids[1] == "1000" and int(ids[2]) > 0 and ids[3] == "1", text
    assert ("Not fully enforced: user_ids (DEGRADED), io_accounting (NONE)."
            in lines), text
    assert "stop 0" in lines, text
    control, = (line for line in parts["user unit"].splitlines()
                if line.startswith("user_ids "))
    assert "NONE" in control, control


def test_the_support_matrix_holds_for_the_units(parts):
    with open(support_matrix.README, encoding="utf-8") as file:
        table = support_matrix.parse(file.read())
    for kind, cells in matrix(parts).items():
        assert cells == table[kind], kind


@pytest.mark.parametrize("kind, group", [
    ("system", r"/system\.slice/run-\w+\.scope/"),
    ("user", r"/user\.slice/user-65534\.slice/user@65534\.service/app\.slice/"
             r"run-\w+\.scope/"),
])
def test_a_scope_serves(parts, kind, group):
    """By the commands of README.md, and of the errors at start."""
    text = parts[f"{kind} scope"]
    assert re.search(rf"^group 0::{group}", text, re.MULTILINE), text
    assert "\noutput it runs\n" in text, text
    assert "\nend 0\n" in text, text


def test_a_users_session_has_no_cpuset(parts):
    refused = parts["user cpuset"]
    assert "sandbox.cpuset: '0' is asked for, and no cgroup" in refused, refused
    assert "end 1\n" in refused and "output" not in refused, refused
    control = parts["system scope"]
    assert re.search(r"^cpuset +ENFORCED +cgroup v2 cpuset\.cpus 0$", control,
                     re.MULTILINE), control


if __name__ == "__main__":
    print(json.dumps(matrix(under_systemd(RELEASES[0])), indent=1))
