"""One worker slot, and a sandbox that is looked at after every attack."""

import os
import sys

import pytest

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(_HERE), "e2e"))
from harness import paths  # noqa: E402

sys.path.insert(0, paths.STUBS)

from harness.fixtures import *  # noqa: E402,F401,F403
import attack  # noqa: E402


@pytest.fixture(scope="session")
def server_config():
    # One slot, so that what runs after an attack runs where that was.
    return {"workers": {"count": 1}}


@pytest.fixture(scope="session")
def sandbox(api):
    return attack.Sandbox(api)
