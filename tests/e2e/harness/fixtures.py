"""Fixtures: a paddockd for the whole file, or one for a single test.

A conftest.py that imports all of this has them.
"""

import os
import shutil
import tempfile

import pytest

from harness import jobs
from harness import leftovers
from harness import own_cgroup
from harness.server import Server

LOG_LINES_SHOWN = 60


@pytest.fixture(scope="session")
def work_directory():
    # Not pytest's own: a socket's path has to be short, unix(7).
    path = tempfile.mkdtemp(prefix="paddock-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


def _make_starter(work_directory, started):
    def start(config=None, arguments=(), environment=None, **place):
        directory = tempfile.mkdtemp(dir=work_directory)
        os.chmod(directory, 0o755)
        server = Server(directory, config, arguments, environment, **place)
        started.append(server)
        return server.start()
    return start


def _stop_all(started):
    for server in started:
        if server.ready and server.poll() is None:
            assert server.stop() == 0, server.log()


@pytest.fixture(scope="session")
def server_config():
    """What `server` is told beyond its defaults; a conftest.py may say more."""
    return None


@pytest.fixture(scope="session")
def server(work_directory, server_config, request):
    """One paddockd for all tests of a file; stops cleanly at the end."""
    before = leftovers.snapshot()
    started = []
    server = _make_starter(work_directory, started)(server_config)
    request.config.paddock_servers = started
    yield server
    _stop_all(started)
    leftovers.assert_none_since(before)


@pytest.fixture
def start_server(work_directory, request):
    """A function that starts a paddockd for this test alone."""
    started = []
    request.config.paddock_servers = started
    yield _make_starter(work_directory, started)
    _stop_all(started)


@pytest.fixture
def shared_cgroup():
    """What start_server's config needs for a successor to find leftovers. Ask
    for it before start_server: it goes when all servers have ended."""
    with own_cgroup.shared_parent() as config:
        yield config


@pytest.fixture(scope="session")
def api(server):
    return jobs.Api(server.channel)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Shows the end of paddockd's log with a test that failed."""
    del call
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for server in getattr(item.config, "paddock_servers", ()):
        if os.path.exists(server.log_file):
            lines = server.log().splitlines()[-LOG_LINES_SHOWN:]
            report.sections.append((f"log of paddockd {server.directory}",
                                    "\n".join(lines)))
