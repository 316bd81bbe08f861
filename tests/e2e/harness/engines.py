"""docker and podman, as deploy/CONTAINERS.md uses them, with an image that is
an empty tree: containers have the host's /usr and the build as volumes.

Each has storage of its own, and nothing in common with one that the host runs.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile

from harness import as_user
from harness import host
from harness import own_cgroup
from harness.delegation import Delegation
from harness.server import wait_until
from harness.time_scale import scaled

IMAGE = "paddock-tests"
_DIRECTORIES = ("dev", "etc", "proc", "root", "run", "shared", "sys", "tmp",
                "usr", "var", "var/tmp")
_LINKS = ("bin", "lib", "lib64", "sbin")


def _image():
    """A tar file, as `import` of both takes it."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name in _DIRECTORIES:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name in _LINKS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, f"usr/{name}"
            tar.addfile(entry)
        for path in ("etc/passwd", "etc/group"):
            tar.add(f"/{path}", path)
    return data.getvalue()


class Engine:
    """`words` begin each command of the engine."""

    name = None
    user = 0  # of the containers' files

    def __init__(self, directory, words):
        self.directory = directory
        self._words = words
        self.run("import", "-", IMAGE, input=_image(), check=True,
                 capture_output=True)

    def command(self, *words):
        return [*self._words, *words]

    def run(self, *words, **options):
        return subprocess.run(self.command(*words), **options)


class Docker(Engine):
    """With a dockerd of its own."""
    name = "docker"

    def __init__(self, directory, process):
        socket = f"unix://{directory}/socket"
        wait_until(lambda: process.poll() is not None or subprocess.run(
            ["/usr/bin/docker", "--host", socket, "version"], check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ).returncode == 0, scaled(30), 0.2)
        super().__init__(directory, ["/usr/bin/docker", "--host", socket])


def _let_be_mapped(user):
    """Tells it to the machine, for good."""
    for path, line in (("/etc/passwd", f"{user}:x:990:990::/:/bin/false"),
                       ("/etc/group", f"{user}:x:990:"),
                       ("/etc/subuid", f"{user}:3000000:65536"),
                       ("/etc/subgid", f"{user}:3000000:65536")):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")


@contextlib.contextmanager
def docker(remap_to=None):
    """`remap_to`: a name for whom containers' ids are then mapped to."""
    remap = []
    if remap_to is not None:
        _let_be_mapped(remap_to)
        remap = [f"--userns-remap={remap_to}"]
    host.show_apparmor()
    directory = tempfile.mkdtemp(prefix="paddock-")
    os.chmod(directory, 0o755)
    with open(f"{directory}/log", "wb") as log:
        process = subprocess.Popen(
            ["dockerd", "--data-root", f"{directory}/data", "--exec-root",
             f"{directory}/exec", "--pidfile", f"{directory}/pid", "--host",
             f"unix://{directory}/socket", "--iptables=false",
             "--ip6tables=false", "--bridge=none", "--storage-driver=vfs", *remap],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield Docker(directory, process)
        finally:
            process.terminate()
            process.wait(timeout=scaled(30))
            shutil.rmtree(directory, ignore_errors=True)


def _podman_words(directory):
    return ["podman", "--cgroup-manager=cgroupfs", "--storage-driver=vfs",
            f"--root={directory}/storage", f"--runroot={directory}/run"]


class Podman(Engine):
    name = "podman"

    def __init__(self, directory):
        super().__init__(directory, _podman_words(directory))


class RootlessPodman(Engine):
    """Each command of it stands in a cgroup of its own, which --cgroups=split
    makes the container's."""
    name = "podman without root"
    user = as_user.UID

    def __init__(self, directory):
        for name in ("home", "runtime"):
            os.mkdir(f"{directory}/{name}", 0o700)
        for path in (directory, f"{directory}/home", f"{directory}/runtime"):
            os.chown(path, as_user.UID, as_user.UID)
        self._delegations = []
        super().__init__(directory, _podman_words(directory))

    def command(self, *words):
        delegation = Delegation("range")
        self._delegations.append(delegation)
        return [*delegation.wrapper, "env", f"HOME={self.directory}/home",
                f"XDG_RUNTIME_DIR={self.directory}/runtime",
                *super().command(*words)]

    def remove_cgroups(self):
        for delegation in self._delegations:
            with contextlib.suppress(OSError):
                own_cgroup.remove_all(delegation.directories[0])


@contextlib.contextmanager
def podman(kind):
    directory = tempfile.mkdtemp(prefix="paddock-")
    os.chmod(directory, 0o755)
    engine = kind(directory)
    try:
        yield engine
    finally:
        if kind is RootlessPodman:
            engine.remove_cgroups()
        subprocess.run(["rm", "-rf", "--one-file-system", directory],
                       check=False)
