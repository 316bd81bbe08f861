"""paddockd in containers with a user namespace of their own, by podman with and
without root: deploy/CONTAINERS.md."""

import os

import pytest

from harness import engines
from harness import host
from harness import paths
from harness import support_matrix
from harness.container_checks import assert_does_not_start
from harness.container_checks import assert_serves
from harness.container_checks import containers  # noqa: F401
from harness.engine_container import EngineContainer

_CAPABILITIES = ["--security-opt=unmask=/sys/fs/cgroup",
                 "--cap-add=SYS_ADMIN,NET_ADMIN"]
_PROFILE = os.path.join(paths.ROOT, "deploy", "docker", "seccomp.json")
_NO_CAPABILITY = ["--security-opt=unmask=ALL",
                  f"--security-opt=seccomp={_PROFILE}"]
_CONFINED = support_matrix.PODMAN_MAP
_MAP = [*_CONFINED, support_matrix.UNCONFINED]
# A container of a user without root is in a user namespace anyway.
_SPLIT = ["--cgroups=split"]


@pytest.fixture(name="podman", scope="module")
def _podman():
    host.show_apparmor()
    with engines.podman(engines.Podman) as engine:
        yield engine


@pytest.fixture(name="rootless", scope="module")
def _rootless():
    host.show_apparmor()
    with engines.podman(engines.RootlessPodman) as engine:
        yield engine


@pytest.mark.parametrize("options", [_CAPABILITIES, _NO_CAPABILITY],
                         ids=["capabilities", "no_capability"])
def test_all_layers_stand(podman, options):
    assert_serves(EngineContainer(podman, [*_MAP, "--read-only", *options]),
                  ids_of_a_program=1)


@pytest.mark.parametrize("options", [_CAPABILITIES, _NO_CAPABILITY],
                         ids=["capabilities", "no_capability"])
def test_all_layers_stand_without_root(rootless, options):
    assert_serves(EngineContainer(rootless,
                                  [*_SPLIT, "--read-only", *options]),
                  ids_of_a_program=1)


def test_the_support_matrix_holds_without_root(rootless):
    with open(support_matrix.README, encoding="utf-8") as file:
        table = support_matrix.parse(file.read())
    with EngineContainer(rootless, [*_SPLIT, *_CAPABILITIES]).running() as it:
        assert support_matrix.cells(it.channel) == table["CU"]


@pytest.mark.parametrize("options, words", [
    # podman's own filter, which opens these two calls with CAP_SYS_ADMIN alone.
    ([*_MAP, "--security-opt=unmask=ALL"],
     ["set_hostname", "seccomp=deploy/docker/seccomp.json", "CAP_SYS_ADMIN"]),
    ([*_MAP, "--cap-add=SYS_ADMIN,NET_ADMIN"],
     ["/sys/fs/cgroup is mounted read-only", "unmask=/sys/fs/cgroup"]),
    ([*_CONFINED, *_CAPABILITIES],
     ['the security profile "containers-default', "apparmor=unconfined"]),
    (["--uidmap=0:100000:1000", "--gidmap=0:100000:1000", *_CAPABILITIES],
     ["workers.user: nobody has the ids 65534 and 65534", "--uidmap"]),
], ids=["filter", "cgroup", "apparmor", "ids"])
def test_what_is_missing_is_named_at_start(podman, options, words):
    assert_does_not_start(EngineContainer(podman, options), words)


def test_without_a_cgroup_of_its_own(rootless):
    assert_does_not_start(EngineContainer(rootless, _CAPABILITIES),
                          ["other processes", "--cgroups=split"])
