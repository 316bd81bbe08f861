"""Starts a real paddockd for tests and ends it, by its pid."""

import json
import os
import select
import subprocess
import time
import urllib.request

import grpc

from harness import as_user
from harness import leftovers
from harness import own_cgroup
from harness import paths
from harness.delegation import Delegation
from harness.time_scale import scaled

# As `user`: root with what containers give it (deploy/CONTAINERS.md), no more.
FEW_CAPABILITIES = "few_capabilities"
WITH_FEW_CAPABILITIES = [
    "setpriv", "--bounding-set=-all,+setuid,+setgid,+setfcap",
    "--inh-caps=-all", "--"]
READY_SECONDS = scaled(30)
STOP_SECONDS = scaled(40)
# A test process that is killed must not leave a daemon behind. Not preexec_fn:
# what runs between fork and exec may wait for ever for a lock that one of gRPC's
# threads held.
_DIE_WITH_ME = ["/usr/bin/setpriv", "--pdeathsig", "TERM", "--"]


def base_config(directory):
    """Free ports, a socket below `directory`, two workers."""
    return {
        "listen": {
            "grpc_address": "127.0.0.1:0",
            # In a directory that paddockd makes, for the user it serves as.
            "unix_socket": os.path.join(directory, "run", "paddock.sock"),
            "http_address": "127.0.0.1:0",
        },
        "workers": {"count": 2},
    }


def merge(config, changes):
    """`config` with `changes` laid over it, key by key."""
    result = dict(config)
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            value = merge(result[key], value)
        result[key] = value
    return result


class StartFailed(Exception):
    """paddockd ended, or was silent, before it was ready."""

    def __init__(self, status, log):
        super().__init__(f"paddockd did not start: status {status}\n{log}")
        self.status = status
        self.log = log


class Server:
    """One paddockd: supervisor, server, workers."""

    def __init__(self, directory, config=None, arguments=(), environment=None,
                 cgroup=None, wrapper=(), user=None):
        """`cgroup`: the caller's, to start in. `wrapper`: a command that ends
        by exec'ing its arguments. `user`: an ordinary user starts it; the mode
        of as_user.py, or FEW_CAPABILITIES, or what PADDOCK_TESTS_USER says."""
        self.directory = str(directory)
        self.config = merge(base_config(self.directory), config or {})
        self.config_file = os.path.join(self.directory, "paddock.yaml")
        with open(self.config_file, "w", encoding="utf-8") as file:
            json.dump(self.config, file)  # JSON is YAML
        self.log_file = os.path.join(self.directory, "paddockd.log")
        self._arguments = list(arguments)
        self._environment = environment
        self._channel = None
        self._process = None
        self._wrapper = list(wrapper)
        self._cgroup = cgroup
        self._owns_cgroup = False
        self._user = user or os.environ.get("PADDOCK_TESTS_USER")
        self._delegation = None
        self.ready = None

    def start(self):
        if self._user == FEW_CAPABILITIES:
            self._wrapper = [*WITH_FEW_CAPABILITIES, *self._wrapper]
        elif self._user:
            self._delegation = Delegation(self._user)
            self._wrapper = [*self._delegation.wrapper, *self._wrapper]
            os.chown(self.directory, as_user.UID, as_user.UID)
        if self._delegation is None and self._cgroup is None and (
                "parent" not in self.config.get("cgroup", {})):
            self._cgroup = own_cgroup.make()
            self._owns_cgroup = True
        reader, writer = os.pipe()
        with open(self.log_file, "ab") as log:
            self._process = subprocess.Popen(
                [*_DIE_WITH_ME, *own_cgroup.entering(self._cgroup),
                 *self._wrapper, paths.PADDOCKD, "--config", self.config_file,
                 "--ready-fd", str(writer), *self._arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=[writer], env=self._environment)
        leftovers.started_pids.add(self._process.pid)
        os.close(writer)
        with os.fdopen(reader, "rb") as file:
            readable, _, _ = select.select([file], [], [], READY_SECONDS)
            line = file.readline() if readable else b""
        if not line:
            status = self._end_failed_start()
            raise StartFailed(status, self.log())
        self.ready = json.loads(line)
        return self

    def _end_failed_start(self):
        try:
            return self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "silent"
        finally:
            self._remove_cgroup()

    def _remove_cgroup(self):
        if self._owns_cgroup:
            own_cgroup.remove(self._cgroup)
        if self._delegation is not None:
            self._delegation.remove()

    @property
    def pid(self):
        return self._process.pid

    @property
    def address(self):
        return f"127.0.0.1:{self.ready['grpc_port']}"

    @property
    def unix_address(self):
        return f"unix:{self.ready['unix_socket']}"

    @property
    def channel(self):
        if self._channel is None:
            self._channel = self.new_channel()
        return self._channel

    def new_channel(self, address=None, options=()):
        # Without its own pool gRPC gives two channels one connection.
        options = [("grpc.use_local_subchannel_pool", 1), *options]
        return grpc.insecure_channel(address or self.address, options=options)

    def http_get(self, path):
        url = f"http://127.0.0.1:{self.ready['http_port']}{path}"
        with urllib.request.urlopen(url, timeout=scaled(10)) as answer:
            return answer.read().decode()

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as file:
            return file.read()

    def poll(self):
        """The supervisor's exit status, None while it runs."""
        return self._process.poll()

    def kill(self):
        """SIGKILL to the supervisor, as a crash would."""
        self._close_channel()
        self._process.kill()
        self._process.wait()

    def stop(self):
        """SIGTERM; returns the exit status."""
        self._close_channel()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._remove_cgroup()

    def _close_channel(self):
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def wait_until(condition, seconds, interval=0.005):
    """Polls `condition` until it is true; returns the seconds that took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > scaled(seconds):
            raise AssertionError(f"not within {seconds} s: {condition}")
        time.sleep(interval)
    return time.monotonic() - start
