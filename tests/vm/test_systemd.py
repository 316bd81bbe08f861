"""The units of deploy/systemd, under a real systemd on cgroup v2."""

import os
import re
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
BINARIES = os.path.realpath(os.path.join(
    os.environ.get("PADDOCK_BUILD",
                   os.path.join(HERE, "..", "..", "build", "dev")), "bin"))

# What both units are asked, as whoever started them. `run`: as whom; `control`:
# systemctl of that manager.
ASK = r"""
use() {
  echo "start $($control start paddock; echo $?)"
  echo "group $(cat "/proc/$($control show -P MainPID paddock)/cgroup")"
  echo "output $($run "$BIN/paddock" run --quiet -- /bin/echo it runs)"
  $run "$BIN/paddock" run --quiet --memory 16M -- \
    /usr/bin/perl -e '$x = "x" x (64 << 20)'
  echo "memory $?"
  $run "$BIN/paddock" run --quiet --memory 96M -- \
    /usr/bin/perl -e '$x = "x" x (16 << 20)'
  echo "control $?"
  $run "$BIN/paddock" doctor | sed -n 's/^kill */kill /p; $p'
  kill -KILL "$($control show -P MainPID paddock)"
  for _ in $(seq 100); do
    sleep 0.3
    again=$($run "$BIN/paddock" run --quiet -- /bin/echo again 2>&1) && break
  done
  echo "after SIGKILL: $again, $($control show -P NRestarts paddock) restart"
  echo "stop $($control stop paddock; echo $?)"
  $control show -p Result paddock
}
"""
SYSTEM = ASK + """
run='' control=systemctl
use
echo "left $(find /sys/fs/cgroup -name '*paddock*')"
"""
USER = ASK + """
systemctl start user@65534
run='setpriv --reuid=65534 --regid=65534 --clear-groups
  env XDG_RUNTIME_DIR=/run/user/65534 HOME=/nonexistent
  PADDOCK_SERVER=unix:/run/user/65534/paddock/paddock.sock'
control="$run systemctl --user"
use
echo "left $(find /sys/fs/cgroup -name '*paddock*')"
"""


def under_systemd(script):
    done = subprocess.run(
        [os.path.join(HERE, "boot"), "--timeout", "240", "--",
         os.path.join(HERE, "systemd.sh"), BINARIES, script], cwd=HERE,
        capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("script, group, verdict", [
    (SYSTEM, r"/system\.slice/paddock\.service/paddock-\d+-\w+/daemon",
     "Every limit and layer is enforced."),
    (USER, r"/user\.slice/user-65534\.slice/user@65534\.service/app\.slice/"
           r"paddock\.service/paddock-\d+-\w+/daemon",
     # user@.service delegates no io controller, and nobody has but one id.
     "Not fully enforced: user_ids (NONE), io_accounting (NONE)."),
], ids=["system", "user"])
def test_a_unit_serves_restarts_and_leaves_nothing(script, group, verdict):
    lines = [" ".join(line.split()) for line in under_systemd(script)]
    text = "\n".join(lines)
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
