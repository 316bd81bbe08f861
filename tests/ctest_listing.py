"""What ctest knows of a build directory."""

import json
import os
import subprocess
import tempfile


def tests_of(build):
    """All tests of `build`, in order: the "tests" of --show-only=json-v1 in
    ctest(1)."""
    # Asked from a directory beside it: wherever ctest starts it writes
    # Testing/Temporary/LastTest.log anew, with --show-only too, and in `build`
    # that log may be the one of a run that is going on.
    with tempfile.TemporaryDirectory() as beside:
        with open(os.path.join(beside, "CTestTestfile.cmake"), "w",
                  encoding="utf-8") as file:
            file.write(f"subdirs([==[{os.path.abspath(build)}]==])\n")
        listing = subprocess.run(
            ["ctest", "--test-dir", beside, "--show-only=json-v1"],
            stdout=subprocess.PIPE, check=True).stdout
    return json.loads(listing)["tests"]


def properties_of(test):
    return {entry["name"]: entry["value"]
            for entry in test.get("properties", [])}


def labels_of(test):
    return set(properties_of(test).get("LABELS", []))
