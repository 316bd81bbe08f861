"""How much slower than on hardware programs start where the tests run.

tests/vm sets PADDOCK_TEST_TIME_SCALE; 1 elsewhere. Only for how long a test
waits at most, for upper bounds on what it measured, and for limits that an
honest program stays below: never for a limit that a test means to hit.
"""

import os

SCALE = float(os.environ.get("PADDOCK_TEST_TIME_SCALE", "1"))


def scaled(seconds):
    return seconds * SCALE


def fewer(count, least):
    """Of what is made to take its time: where each takes longer, fewer do."""
    return max(least, int(count / SCALE))
