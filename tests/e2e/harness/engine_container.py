"""paddockd in a container of one of engines.py, started as a user would."""

import contextlib
import json
import os
import subprocess
import tempfile

import grpc

from harness import engines
from harness import paths
from harness.server import StartFailed, wait_until
from harness.time_scale import scaled

_CONFIG = {"listen": {"grpc_address": "", "http_address": "",
                      "unix_socket": "/shared/run/paddock.sock"},
           "workers": {"count": 1, "user": "nobody"}}


class EngineContainer:
    """As container.Container. `options`: of `docker run` or `podman run`."""

    def __init__(self, engine, options):
        self.channel = None
        self._engine = engine
        self._options = list(options)
        self._directory = tempfile.mkdtemp(prefix="paddock-")
        self._name = os.path.basename(self._directory)
        self._log_file = f"{self._directory}/log"
        self._process = None

    def _command(self):
        volumes = ("/usr:/usr:ro", f"{paths.BUILD}:{paths.BUILD}:ro",
                   f"{self._directory}/shared:/shared")
        return self._engine.command(
            "run", "--rm", "--name", self._name, "--network=none",
            *(f"--volume={volume}" for volume in volumes), *self._options,
            engines.IMAGE, paths.PADDOCKD, "--config", "/shared/paddock.yaml")

    def start(self):
        os.chmod(self._directory, 0o755)
        os.mkdir(f"{self._directory}/shared")
        with open(f"{self._directory}/shared/paddock.yaml", "w",
                  encoding="utf-8") as file:
            json.dump(_CONFIG, file)
        # Root of a user namespace is somebody else here.
        os.chmod(f"{self._directory}/shared", 0o777)
        with open(self._log_file, "ab") as log:
            self._process = subprocess.Popen(
                self._command(), cwd="/", stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        wait_until(lambda: "paddockd is ready" in self.log() or
                   self._process.poll() is not None, scaled(30), 0.05)
        if self._process.poll() is not None:
            raise StartFailed(self._process.returncode, self.log())
        self.channel = grpc.insecure_channel(
            f"unix:{self._directory}/shared/run/paddock.sock")
        return self

    def log(self):
        with open(self._log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self):
        """SIGTERM to paddockd, which ends well."""
        if self.channel is not None:
            self.channel.close()
        if self._process.poll() is None:
            self._engine.run("kill", "--signal=TERM", self._name, cwd="/",
                             check=True, stdout=subprocess.DEVNULL)
            assert self._process.wait(timeout=scaled(40)) == 0, self.log()
        subprocess.run(["rm", "-rf", "--one-file-system", self._directory],
                       check=False)

    @contextlib.contextmanager
    def running(self):
        try:
            yield self.start()
        finally:
            self.stop()
