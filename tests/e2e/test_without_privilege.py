"""What needs no privilege at all: building, unit tests, and the client."""

from concurrent import futures
import os
import subprocess
import sys

import pytest

from harness import paths

sys.path.insert(0, os.path.join(paths.ROOT, "tests"))
import ctest_listing  # noqa: E402

_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
           "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"]


def run_as_nobody(*command, environment=None, **options):
    return subprocess.run(
        [*_NOBODY, *command], check=False, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=300, env={
            **os.environ, "HOME": "/nonexistent", **(environment or {})},
        **options)


def unit_programs():
    """Each once, with all of its tests; pytest's files by one of it. Command ->
    properties."""
    found = {}
    files = {}
    for test in ctest_listing.tests_of(paths.BUILD):
        if "unit" not in ctest_listing.labels_of(test):
            continue
        properties = ctest_listing.properties_of(test)
        if "pytest" in test["command"]:
            *pytest_itself, file = test["command"]
            files.setdefault(tuple(pytest_itself), []).append(
                (file, properties))
        else:
            found[tuple(test["command"][:1])] = properties
    for pytest_itself, all_of_it in files.items():
        _, properties = all_of_it[0]
        assert all(p["ENVIRONMENT"] == properties["ENVIRONMENT"]
                   for _, p in all_of_it)
        found[*pytest_itself, *(file for file, _ in all_of_it)] = properties
    return found


def test_nobody_is_nobody():
    done = run_as_nobody("cat", "/proc/self/status", "/etc/shadow")
    assert "Uid:\t65534\t65534\t65534\t65534\n" in done.stdout
    assert "CapBnd:\t0000000000000000\n" in done.stdout
    assert "Permission denied" in done.stdout


def succeed_as_nobody(*command):
    done = run_as_nobody(*command, cwd=paths.ROOT,
                         environment={"CCACHE_DISABLE": "1"})
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(name="build")
def _build(tmp_path):
    """A folder that nobody may write."""
    build = tmp_path / "build"
    build.mkdir()
    # pytest makes the folders above for root alone.
    os.chown(build, 65534, 65534)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        os.chmod(folder, 0o755)
    return build


def test_building(build):
    """Every kind of step: compiling and linking, and all that generates code."""
    succeed_as_nobody("cmake", "--preset", "dev", "-B", build)
    succeed_as_nobody("cmake", "--build", build, "--target", "probe",
                      "proto_headers", "e2e_stubs", "unit_client_stubs")
    assert run_as_nobody(build / "bin" / "probe").stdout


@pytest.mark.parametrize("preset, has_tests", [
    ("release", False), ("ubsan", True)])
def test_building_by_what_the_tests_are_not_built_by(build, preset, has_tests):
    succeed_as_nobody("cmake", "--preset", preset, "-B", build)
    targets = succeed_as_nobody("ninja", "-C", build, "-t", "targets", "all")
    for program in ("paddock", "paddockd", "paddock-worker"):
        assert f"bin/{program}: " in targets
    assert ("bin/paddock_sandbox: " in targets) == has_tests


def test_unit_tests():
    programs = unit_programs()
    assert len(programs) > 8

    def run(command):
        properties = programs[command]
        environment = dict(line.split("=", 1)
                           for line in properties.get("ENVIRONMENT", []))
        return run_as_nobody(
            *command, cwd=properties["WORKING_DIRECTORY"],
            environment={"SANDBOX_TESTS_MUST_RUN": "1", **environment})
    # Side by side: one of them mostly waits.
    with futures.ThreadPoolExecutor(len(programs)) as pool:
        for done in pool.map(run, programs):
            assert done.returncode == 0, done.stdout[-4000:]
            assert " passed" in done.stdout or "[  PASSED  ]" in done.stdout


@pytest.mark.parametrize("place", ["address", "unix_address"])
def test_the_client(server, place):
    assert run_as_nobody(paths.PADDOCK, "--version").returncode == 0
    done = run_as_nobody(
        paths.PADDOCK, "run", "--", "/bin/echo", "it runs",
        environment={"PADDOCK_SERVER": getattr(server, place)})
    # The socket is for the service's group alone.
    assert (done.returncode == 0) == (place == "address"), done.stdout
    assert ("it runs\n" in done.stdout) == (place == "address")
