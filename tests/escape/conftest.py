"""One worker slot, and a sandbox that is looked at after every attack."""

import os
import subprocess
import sys

import pytest

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(_HERE), "e2e"))
from harness import paths  # noqa: E402

sys.path.insert(0, paths.STUBS)

pytest.register_assert_rewrite("attack")
from harness.fixtures import *  # noqa: E402,F401,F403
import attack  # noqa: E402


@pytest.fixture(scope="session")
def server_config():
    # One slot, so that what runs after an attack runs where that was.
    return {"workers": {"count": 1}}


@pytest.fixture(scope="session")
def sandbox(api):
    return attack.Sandbox(api)


@pytest.fixture(autouse=True)
def clean_afterwards(sandbox):
    """After every test, whichever way it spoke to the service."""
    yield
    sandbox.assert_clean()


@pytest.fixture(scope="session")
def sleeper():
    """The pid of a process of the host that does nothing, in /usr; it
    leads a group of its own."""
    process = subprocess.Popen(["/bin/sleep", "1000"], cwd="/usr",
                               start_new_session=True)
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def victim():
    """The pid of a process of the host that an attack's control may end."""
    process = subprocess.Popen([paths.PROBE, "sleep", "1000"])
    yield process.pid
    process.kill()
    process.wait()
