"""What every file of tests here has."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import paths  # noqa: E402

sys.path.insert(0, paths.STUBS)

from harness.fixtures import *  # noqa: E402,F401,F403
