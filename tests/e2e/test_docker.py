"""paddockd in Docker without --privileged: deploy/CONTAINERS.md."""

import os

import pytest

from harness import engines
from harness import jobs
from harness import paths
from harness import support_matrix
from harness.container_checks import assert_does_not_start
from harness.container_checks import assert_serves
from harness.container_checks import containers  # noqa: F401
from harness.engine_container import EngineContainer

_PROFILE = os.path.join(paths.ROOT, "deploy", "docker", "seccomp.json")
# What each option of deploy/CONTAINERS.md is for.
_ANYWAY = {
    "filter": [f"--security-opt=seccomp={_PROFILE}"],
    "apparmor": ["--security-opt=apparmor=unconfined"],
    "cgroup": ["--tmpfs=/sys/fs/cgroup"],
    "hardening": ["--read-only", "--security-opt=no-new-privileges"]}
_WAYS = {
    "no_added_capability": {
        **_ANYWAY, "proc": ["--security-opt=systempaths=unconfined"]},
    "capabilities_of_the_host": {
        **_ANYWAY, "capabilities": ["--cap-add=SYS_ADMIN",
                                    "--cap-add=NET_ADMIN"]}}
_KINDS = {"no_added_capability": "CN", "capabilities_of_the_host": "CH"}


@pytest.fixture(name="docker", scope="module")
def _docker():
    with engines.docker() as engine:
        yield engine


def container(docker, way, *more, without=None):
    options = [word for need, words in _WAYS[way].items() if need != without
               for word in words]
    return EngineContainer(docker, [*options, *more])


@pytest.mark.parametrize("way", _WAYS)
def test_all_layers_stand(docker, way):
    assert_serves(container(docker, way),
                  in_user_namespace=way == "no_added_capability")


@pytest.mark.parametrize("way", _WAYS)
def test_the_support_matrix_holds_here(docker, way):
    with open(support_matrix.README, encoding="utf-8") as file:
        table = support_matrix.parse(file.read())
    with container(docker, way).running() as it:
        assert support_matrix.cells(it.channel) == table[_KINDS[way]]


def test_three_capabilities_are_enough(docker):
    with container(docker, "no_added_capability", "--cap-drop=ALL",
                   "--cap-add=SETUID", "--cap-add=SETGID",
                   "--cap-add=SETFCAP").running() as it:
        assert jobs.Api(it.channel).run("/bin/true").outcome == jobs.SUCCEEDED


@pytest.mark.parametrize("way", _WAYS)
def test_the_containers_memory_is_what_jobs_share(docker, way):
    """Though no mount that the container was given tells of it."""
    with container(docker, way, "--memory=1g").running() as it:
        most = jobs.Api(it.channel).info().max_limits.memory_bytes
        assert 256 << 20 <= most <= 512 << 20


def test_a_cgroup_namespace_is_not_needed(docker):
    with container(docker, "no_added_capability",
                   "--cgroupns=host").running() as it:
        assert jobs.Api(it.channel).run("/bin/true").outcome == jobs.SUCCEEDED


def test_with_docker_s_defaults(docker):
    assert_does_not_start(EngineContainer(docker, []), [
        "without CAP_NET_ADMIN, CAP_SYS_ADMIN", "docker --cap-add",
        "user namespace of its own", "seccomp=deploy/docker/seccomp.json"])


@pytest.mark.parametrize("way, need, words", [
    ("no_added_capability", "filter",
     ["user namespace of its own", "seccomp=deploy/docker/seccomp.json"]),
    ("capabilities_of_the_host", "filter",
     ["pivot_root", "seccomp=deploy/docker/seccomp.json"]),
    ("no_added_capability", "apparmor",
     ['the security profile "docker-default"', "apparmor=unconfined"]),
    ("capabilities_of_the_host", "apparmor",
     ['the security profile "docker-default"', "apparmor=unconfined"]),
    ("no_added_capability", "proc",
     ["mount_proc", "docker --security-opt systempaths=unconfined"]),
    ("no_added_capability", "cgroup",
     ["/sys/fs/cgroup is mounted read-only", "docker --tmpfs /sys/fs/cgroup"]),
    ("capabilities_of_the_host", "cgroup",
     ["/sys/fs/cgroup is mounted read-only", "docker --tmpfs /sys/fs/cgroup"]),
])
def test_what_is_missing_is_named_at_start(docker, way, need, words):
    assert_does_not_start(container(docker, way, without=need), words)


def test_with_ids_mapped_for_all_containers():
    """Its other cgroup driver, systemd, may do better."""
    with engines.docker(remap_to="paddock-mapped") as docker:
        for way in _WAYS:
            assert_does_not_start(
                container(docker, way, without="cgroup"),
                ["/sys/fs/cgroup does not belong to this user",
                 "has to belong to root there"])
