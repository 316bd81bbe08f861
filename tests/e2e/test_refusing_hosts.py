"""Hosts that say no: the error at start names the switch and what to do.

Those whose cgroups say no are in test_cgroup_hosts.py.
"""

import subprocess
import sys

import pytest

from harness import as_user
from harness import host
from harness import jobs
from harness.host import sysctl
from harness.server import StartFailed


def refused(start_server, *words, **place):
    with pytest.raises(StartFailed) as caught:
        start_server(**place)
    assert caught.value.status not in (0, "silent")
    for word in words:
        assert word in caught.value.log, caught.value.log
    assert "died 3 times" not in caught.value.log  # said at once
    return caught.value.log


def runs(start_server, **place):
    api = jobs.Api(start_server(**place).channel)
    return api.run("/bin/true").outcome == jobs.SUCCEEDED


def test_an_old_kernel(start_server):
    """Any host can call its own kernel 2.6: setarch(8)."""
    refused(start_server, "Linux 2.6", "too old", "5.14 or newer",
            wrapper=["setarch", "--uname-2.6"])


def test_a_helper_for_core_dumps_that_no_limit_keeps_away(start_server):
    """core(5): only RLIMIT_CORE 1 does, and that is more than 0."""
    with sysctl("kernel.core_pattern", "|/bin/cat %p"):
        refused(start_server, "RLIMIT_CORE: ", "|/bin/cat %p", "LimitCORE=1",
                wrapper=["prlimit", "--core=0"], user="single")
        assert runs(start_server, wrapper=["prlimit", "--core=1"],
                    user="single")
        # Root raises it.
        assert runs(start_server, wrapper=["prlimit", "--core=0"])
    assert runs(start_server, wrapper=["prlimit", "--core=0"], user="single")


@pytest.mark.parametrize("user", [None, "single", "range"])
def test_user_namespaces_switched_off(start_server, user):
    with sysctl("user.max_user_namespaces", 0):
        refused(start_server, "user.max_user_namespaces is 0",
                "raise it with sysctl(8)", user=user)


@pytest.mark.parametrize("kind", ["cgroup", "ipc", "mnt", "net", "pid", "time",
                                  "uts"])
def test_namespaces_of_another_kind_switched_off(start_server, kind):
    with sysctl(f"user.max_{kind}_namespaces", 0):
        refused(start_server, f"user.max_{kind}_namespaces is 0",
                "raise it with sysctl(8)")


def test_user_namespaces_for_root_alone(start_server):
    """Debian's switch."""
    with sysctl("kernel.unprivileged_userns_clone", 0):
        refused(start_server, "kernel.unprivileged_userns_clone is 0",
                "set it to 1 with sysctl(8)", "start it as root",
                user="single")
        assert runs(start_server)


def test_a_cgroup_that_was_not_delegated(start_server):
    host.need_unified_controllers()
    refused(start_server, "does not belong to this user", "Delegate=yes",
            config={"listen": {"unix_socket": ""}},
            wrapper=[sys.executable, as_user.__file__, "single", "--"])


def test_tracing_restricted_by_yama_changes_nothing(start_server):
    with sysctl("kernel.yama.ptrace_scope", 2):
        assert runs(start_server)
        assert runs(start_server, user="single")


APPARMOR = """
abi <abi/3.0>,
profile paddock-tests flags=(attach_disconnected) {
  capability, network, file, signal, ptrace, unix, dbus,
  umount, pivot_root,
  deny mount fstype=proc,
}
"""


@pytest.fixture(name="profile")
def _profile():
    """An AppArmor profile that forbids what containers' profiles do."""
    host.show_apparmor()
    for option in ("--replace", "--remove"):
        subprocess.run(["apparmor_parser", option, "--skip-cache"],
                       input=APPARMOR, text=True, check=True)
        if option == "--replace":
            yield "paddock-tests"


def test_an_apparmor_profile(start_server, profile):
    refused(start_server, f'the security profile "{profile}" confines',
            "apparmor=unconfined",
            wrapper=["aa-exec", "-p", profile, "--"])
