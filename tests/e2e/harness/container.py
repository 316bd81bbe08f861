"""paddockd in a container that crun, runc or podman starts.

The container's root is the host's own tree, read-only: the build is there, and
what it runs with. It has a network of its own and nothing but its directory
`/shared` in common with us, where the socket is. deploy/CONTAINERS.md tells its
needs; `Needs` takes each of them away.
"""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import tempfile

import grpc

from harness import paths
from harness.server import StartFailed, wait_until
from harness.time_scale import scaled

READY_SECONDS = scaled(30)
# What runtimes give root anyway, of which these three are needed.
TO_MAP_IDS = ("CAP_SETUID", "CAP_SETGID", "CAP_SETFCAP")
# What else serves: server/supervisor/privileges.cc.
OF_THE_HOST = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL",
               "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_NET_ADMIN",
               "CAP_SYS_CHROOT", "CAP_SYS_ADMIN")
_IS_READY = "paddockd is ready"


@dataclasses.dataclass(frozen=True)
class Needs:
    """What of deploy/CONTAINERS.md the container is given."""
    capabilities: tuple = TO_MAP_IDS
    proc_unmasked: bool = True
    cgroup_writable: bool = True
    cgroup_mounted: bool = True  # by crun and runc
    cgroup_namespace: bool = True
    refused_calls: tuple = ()  # by seccomp, with EPERM
    alone: bool = True         # no other process in the container
    socket_writable: bool = True
    uid: int = 0
    user: str = "nobody"       # workers.user
    apparmor_profile: str = ""  # by crun and runc; "": none


def _base_config(needs):
    workers = {"count": 1}
    if needs.uid == 0:
        workers["user"] = needs.user
    where = "/shared/run" if needs.socket_writable else "/usr/none"
    return {"listen": {"grpc_address": "", "http_address": "",
                       "unix_socket": f"{where}/paddock.sock"},
            "workers": workers}


def _command(needs):
    command = [paths.PADDOCKD, "--config", "/shared/paddock.yaml"]
    if needs.alone:
        return command
    return ["/bin/sh", "-c", '"$@"; exit $?', "sh", *command]


def _bundle_config(runtime, directory, needs):
    """What `RUNTIME spec` suggests, with the changes of deploy/CONTAINERS.md."""
    subprocess.run([runtime, "spec"], cwd=directory, check=True)
    with open(f"{directory}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    process, linux = config["process"], config["linux"]
    process.update(terminal=False, args=_command(needs),
                   user={"uid": needs.uid, "gid": needs.uid})
    process["capabilities"] = {
        kind: list(needs.capabilities)
        for kind in ("bounding", "effective", "permitted")}
    if needs.apparmor_profile:
        process["apparmorProfile"] = needs.apparmor_profile
    for mount in config["mounts"]:
        if mount["destination"] == "/sys/fs/cgroup" and needs.cgroup_writable:
            mount["options"].remove("ro")
    if not needs.cgroup_mounted:
        config["mounts"] = [mount for mount in config["mounts"]
                            if mount["destination"] != "/sys/fs/cgroup"]
    config["mounts"].append({
        "destination": "/shared", "type": "bind", "options": ["bind", "rw"],
        "source": f"{directory}/shared"})
    kinds = {entry["type"] for entry in linux["namespaces"]}
    if not needs.cgroup_namespace:
        linux["namespaces"] = [entry for entry in linux["namespaces"]
                               if entry["type"] != "cgroup"]
    elif "cgroup" not in kinds:
        linux["namespaces"].append({"type": "cgroup"})
    if needs.proc_unmasked:
        linux.update(maskedPaths=[], readonlyPaths=[])
    if needs.refused_calls:
        linux["seccomp"] = {
            "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
                {"names": list(needs.refused_calls),
                 "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}
    return config


class Container:
    """Start it with `with`; `api` speaks to the paddockd inside."""

    def __init__(self, runtime, needs=Needs()):
        self.runtime = runtime
        self.directory = tempfile.mkdtemp(prefix="paddock-")
        self.name = os.path.basename(self.directory)
        self.log_file = f"{self.directory}/log"
        self.channel = None
        self._needs = needs
        self._process = None

    def _oci_command(self, root):
        config = _bundle_config(self.runtime, self.directory, self._needs)
        config["root"] = {"path": root, "readonly": True}
        config["linux"]["cgroupsPath"] = f"/{self.name}"
        with open(f"{self.directory}/config.json", "w",
                  encoding="utf-8") as file:
            json.dump(config, file)
        return [self.runtime, "run", "--bundle", self.directory, self.name]

    def _podman(self, *words):
        # Its own storage: the user's stays as it is.
        return ["podman", "--cgroup-manager=cgroupfs", "--storage-driver=vfs",
                f"--root={self.directory}/storage",
                f"--runroot={self.directory}/storage-run", *words]

    def _podman_command(self, root):
        needs = self._needs
        words = ["run", "--rm", "--name", self.name, "--network=none",
                 # Else it copies all of the host's /tmp into a tmpfs.
                 "--read-only", "--read-only-tmpfs=false",
                 f"--volume={self.directory}/shared:/shared",
                 "--security-opt=apparmor=unconfined",
                 f"--user={needs.uid}"]
        if set(needs.capabilities) == set(OF_THE_HOST):
            words.append("--cap-add=SYS_ADMIN,NET_ADMIN")
        else:  # it gives more than these, and all of them unasked
            words += [f"--cap-drop={name.removeprefix('CAP_')}"
                      for name in TO_MAP_IDS if name not in needs.capabilities]
        unmask = (["ALL"] if needs.proc_unmasked and needs.cgroup_writable else
                  ["/proc/*"] if needs.proc_unmasked else
                  ["/sys/fs/cgroup"] if needs.cgroup_writable else [])
        words += [f"--security-opt=unmask={path}" for path in unmask]
        words.append("--cgroupns=" +
                     ("private" if needs.cgroup_namespace else "host"))
        return self._podman(*words, "--rootfs", root, *_command(needs))

    def start(self):
        os.chmod(self.directory, 0o755)
        os.mkdir(f"{self.directory}/shared")
        os.chown(f"{self.directory}/shared", self._needs.uid, self._needs.uid)
        root = f"{self.directory}/rootfs"
        os.mkdir(root)
        with open(f"{self.directory}/shared/paddock.yaml", "w",
                  encoding="utf-8") as file:
            json.dump(_base_config(self._needs), file)
        make = (self._podman_command if self.runtime == "podman" else
                self._oci_command)
        # In a mount namespace of its own: the host's mounts stay as they are.
        with open(self.log_file, "ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-e", "-c",
                 'mount --bind / "$1"; mount --bind "$2" "$1/shared" '
                 '2>/dev/null || true; shift 2; exec "$@"',
                 "sh", root, f"{self.directory}/shared", *make(root)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: _IS_READY in self.log() or
                   self._process.poll() is not None, READY_SECONDS, 0.05)
        if self._process.poll() is not None:
            raise StartFailed(self._process.returncode, self.log())
        self.channel = grpc.insecure_channel(
            f"unix:{self.directory}/shared/run/paddock.sock")
        return self

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def _runtime(self, *words):
        command = (self._podman(*words) if self.runtime == "podman" else
                   [self.runtime, *words])
        return subprocess.run(command, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)

    def stop(self):
        """SIGTERM to paddockd; returns what the runtime ended with."""
        if self.channel is not None:
            self.channel.close()
        try:
            if self._process.poll() is None:
                self._runtime("kill", *(
                    ["--signal=TERM", self.name] if self.runtime == "podman"
                    else [self.name, "TERM"]))
            return self._process.wait(timeout=scaled(40))
        except subprocess.TimeoutExpired:
            self._runtime("kill", self.name, signal.SIGKILL.name)
            raise
        finally:
            if self.runtime != "podman":
                self._runtime("delete", "--force", self.name)
            subprocess.run(["rm", "-rf", "--one-file-system", self.directory],
                           check=False)

    @contextlib.contextmanager
    def running(self):
        try:
            yield self.start()
        finally:
            self.stop()
