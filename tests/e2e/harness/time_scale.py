"""How much slower than on hardware programs start where the tests run.

tests/vm sets PADDOCK_TEST_TIME_SCALE; 1 elsewhere. Only for how long a test
waits at most, and for upper bounds on what it measured: never for a limit that
a program is held to.
"""

import os

SCALE = float(os.environ.get("PADDOCK_TEST_TIME_SCALE", "1"))


def scaled(seconds):
    return seconds * SCALE
