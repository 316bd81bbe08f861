"""Every need of deploy/CONTAINERS.md: with it paddockd runs in a container of
each runtime, without it the error names it."""

import pytest

from harness import apparmor
from harness import container_checks
from harness import jobs
from harness.container import Container
from harness.container import OF_THE_HOST
from harness.container import TO_MAP_IDS
from harness.container_checks import WAYS
from harness.container_checks import assert_refused
from harness.container_checks import without
from harness.container_checks import containers  # noqa: F401

HOST_WAY = WAYS["capabilities_of_the_host"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("runtime", ["crun", "runc", "podman"])
def test_all_layers_stand(runtime, way):
    container_checks.assert_runs_jobs(runtime, WAYS[way])


@pytest.mark.parametrize("capability", TO_MAP_IDS)
def test_a_capability_for_the_map_of_ids(capability):
    others = tuple(name for name in TO_MAP_IDS if name != capability)
    assert_refused("crun", without(capabilities=others),
                   [f"lacks {capability} "])


@pytest.mark.parametrize("capability", [
    name for name in OF_THE_HOST if name not in TO_MAP_IDS])
def test_a_capability_of_the_host(capability):
    others = tuple(name for name in OF_THE_HOST if name != capability)
    assert_refused("crun", without(HOST_WAY, capabilities=others),
                   [f"root here, but without {capability}:",
                    "lacks CAP_SETFCAP"])


def test_no_capability_at_all():
    assert_refused("crun", without(capabilities=()),
                   ["CAP_SYS_ADMIN", "lacks CAP_SETGID, CAP_SETUID, "
                    "CAP_SETFCAP"])


@pytest.mark.parametrize("call, words", [
    ("unshare", ["user namespace of its own", "seccomp filter"]),
    ("mount", ["make all mounts private", "seccomp filter"]),
    ("umount2", ["detach the host's root", "seccomp filter"]),
    ("open_tree", ["open_tree", "seccomp filter"]),
    ("move_mount", ["move_mount", "seccomp filter"]),
    ("mount_setattr", ["mount_setattr", "seccomp filter"]),
    ("pivot_root", ["pivot_root", "seccomp filter"]),
    ("clone", ["Nor can it make a user namespace", "fork", "seccomp filter",
               "clone(2)"]),
    ("clone3", ["clone3", "seccomp filter"]),
    ("fsopen", ["fsopen tmpfs", "seccomp filter"]),
    ("fsmount", ["fsmount tmpfs", "seccomp filter"]),
    ("fspick", ["fspick", "seccomp filter"]),
    ("fsconfig", ["fsconfig", "seccomp filter"]),
    # By the server or a worker, whichever comes to it first.
    ("seccomp", ["seccomp: Operation not permitted", "seccomp filter",
                 "allow it there"]),
])
def test_a_system_call(call, words):
    assert_refused("crun", without(refused_calls=(call,)), words)


def test_a_system_call_with_the_capabilities_of_the_host():
    assert_refused("crun", without(HOST_WAY, refused_calls=("clone",)),
                   ["fork", "seccomp filter", "clone(2)"])


# The first two by file, where the filter refuses the call: podman's does.
@pytest.mark.parametrize("call", ["sethostname", "setdomainname", "setns"])
def test_a_system_call_that_is_not_needed(call):
    with Container("crun", without(refused_calls=(call,))).running() as it:
        result = jobs.Api(it.channel).run("/bin/hostname")
        assert result.stdout.data == b"paddock\n"


def test_a_cgroup_namespace_is_not_needed():
    with Container("crun", without(cgroup_namespace=False)).running() as it:
        result = jobs.Api(it.channel).run("/bin/true")
        assert result.outcome == jobs.SUCCEEDED


@pytest.mark.parametrize("way", WAYS)
def test_a_mount_of_the_cgroup_is_not_needed(way):
    needs = without(WAYS[way], cgroup_mounted=False)
    container_checks.assert_runs_jobs("crun", needs)


def test_what_mounting_it_takes():
    assert_refused("crun", without(cgroup_mounted=False,
                                   refused_calls=("fsopen",)),
                   ["may not mount it", "mount it at /sys/fs/cgroup",
                    "allow fsopen"])


@pytest.mark.parametrize("needs, words", [
    (without(alone=False), ["other processes (pid 1)", "only process"]),
    (without(socket_writable=False),
     ["listen.unix_socket: mkdir /usr/none", "Read-only file system"]),
    (without(user="nobody-of-that-name"),
     ["workers.user: there is no user nobody-of-that-name"]),
    (without(uid=65534, capabilities=()),
     ["/sys/fs/cgroup does not belong to this user"]),
], ids=["company", "socket", "service_user", "ordinary_user"])
def test_what_else_is_needed(needs, words):
    assert_refused("crun", needs, words)


@pytest.mark.parametrize("runtime", ["crun", "runc"])
def test_an_apparmor_profile(runtime):
    with apparmor.profile(apparmor.AS_OF_CONTAINERS) as name:
        assert_refused(runtime, without(apparmor_profile=name),
                       [f'the security profile "{name}" confines paddockd'])
    with apparmor.profile(apparmor.ALL) as name:
        with Container(runtime, without(apparmor_profile=name)).running() as it:
            result = jobs.Api(it.channel).run("/bin/true")
            assert result.outcome == jobs.SUCCEEDED


@pytest.mark.parametrize("needs, words", [
    (without(proc_unmasked=False), ["parts of /proc are masked"]),
    (without(cgroup_writable=False), ["/sys/fs/cgroup is mounted read-only"]),
    (without(capabilities=("CAP_SETUID", "CAP_SETGID")),
     ["lacks CAP_SETFCAP"]),
], ids=["proc", "cgroup", "capability"])
def test_podman_without_its_options(needs, words):
    assert_refused("podman", needs, words)
