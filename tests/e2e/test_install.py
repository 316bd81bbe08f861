"""`cmake --install` puts things where they look for each other; the first start
on a host makes the service's user."""

import os
import pwd
import re
import subprocess

import pytest

from harness import jobs
from harness import leftovers
from harness import paths


@pytest.fixture(name="root", scope="module")
def _root(work_directory):
    """Where everything was installed, /usr/local below it."""
    root = f"{work_directory}/root"
    subprocess.run(["cmake", "--install", paths.BUILD], check=True,
                   capture_output=True, env={**os.environ, "DESTDIR": root})
    return root


def test_everything_has_its_place(root):
    found = {os.path.join(folder, name).removeprefix(root)
             for folder, _, names in os.walk(root) for name in names}
    assert found == {
        "/usr/local/bin/paddock",
        "/usr/local/bin/paddockd",
        "/usr/local/libexec/paddock/paddock-worker",
        "/usr/local/lib/systemd/system/paddock.service",
        "/usr/local/lib/systemd/user/paddock.service",
        "/usr/local/share/doc/paddock/examples/paddock.yaml",
    }


@pytest.mark.parametrize("manager", ["system", "user"])
def test_the_units_start_what_was_installed(root, manager):
    with open(f"{root}/usr/local/lib/systemd/{manager}/paddock.service",
              encoding="utf-8") as unit:
        program = re.search(r"^ExecStart=(\S+)", unit.read(), re.MULTILINE)[1]
    assert os.access(f"{root}{program}", os.X_OK)


def test_what_was_installed_runs(root, start_server, monkeypatch):
    monkeypatch.setattr(paths, "PADDOCKD", f"{root}/usr/local/bin/paddockd")
    server = start_server()
    done = subprocess.run(
        [f"{root}/usr/local/bin/paddock", "run", "--quiet", "--server",
         server.address, "--", "/bin/echo", "x"], capture_output=True,
        timeout=30, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stdout) == (0, b"x\n"), done.stderr


NEW_USER = "paddock-e2e-new"
# A mount namespace with a copy of /etc: the host's has no user more for this.
WITH_OWN_ETC = ["unshare", "--mount", "sh", "-e", "-c",
                'mount -t tmpfs none /mnt; cp -a /etc /mnt/etc;'
                'mount --bind /mnt/etc /etc; exec "$@"', "sh"]


def test_the_service_user_is_made_if_missing(start_server):
    with pytest.raises(KeyError):
        pwd.getpwnam(NEW_USER)
    server = start_server({"workers": {"user": NEW_USER}},
                          wrapper=WITH_OWN_ETC)
    with open(f"/proc/{server.pid}/root/etc/passwd", encoding="utf-8") as file:
        line, = (line for line in file if line.startswith(f"{NEW_USER}:"))
    _, _, uid, gid, _, _, shell = line.strip().split(":")
    role = leftovers.server_pid(server)
    with open(f"/proc/{role}/status", encoding="utf-8") as file:
        status = dict(row.rstrip("\n").split(":", 1) for row in file)
    assert status["Uid"].split() == [uid] * 4 and uid != "0"
    assert status["Gid"].split() == [gid] * 4 and gid != "0"
    assert shell.endswith("/nologin")
    assert jobs.Api(server.channel).run("/bin/true").outcome == jobs.SUCCEEDED
