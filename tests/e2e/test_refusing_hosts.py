"""Hosts that say no: the error at start names the switch and what to do.

Those whose cgroups say no are in test_cgroup_hosts.py.
"""

import contextlib
import subprocess
import sys

import grpc
import pytest
from paddock.v1 import process_pb2
from paddock.v1 import result_pb2

from harness import apparmor
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
    warning = "kernel.core_pattern hands core dumps to a program"
    with sysctl("kernel.core_pattern", "core"):
        assert warning not in start_server().log()
    with sysctl("kernel.core_pattern", "|/bin/cat %p"):
        refused(start_server, "RLIMIT_CORE: ", "|/bin/cat %p", "LimitCORE=1",
                wrapper=["prlimit", "--core=0"], user="single")
        log = start_server().log()
        assert warning in log and "(/bin/cat %p)" in log
        assert runs(start_server, wrapper=["prlimit", "--core=1"],
                    user="single")
        # Root raises it.
        assert runs(start_server, wrapper=["prlimit", "--core=0"])
    assert runs(start_server, wrapper=["prlimit", "--core=0"], user="single")


SAFE_WATCHES = 65536  # kMostSafeEpollWatches


@pytest.mark.parametrize("watches", [None, SAFE_WATCHES, SAFE_WATCHES + 1])
def test_many_that_one_wake_up_reaches(start_server, watches):
    """Not refused, but warned of: as the host is, and on both sides."""
    name = "fs.epoll.max_user_watches"
    with sysctl(name, watches) if watches else contextlib.nullcontext():
        server = start_server()
        with open("/proc/sys/" + name.replace(".", "/"),
                  encoding="ascii") as file:
            watches = int(file.read())
        layer, = (row for row in jobs.Api(server.channel).info().layers
                  if row.layer == "epoll")
    unsafe = watches > SAFE_WATCHES
    assert (f"{name} is {watches}: " in server.log()) == unsafe
    assert layer.mechanism.startswith(f"{name} {watches}, for each program")
    assert layer.mechanism.endswith("; advised: 65536") == unsafe


def choom(adjustment):
    return ["choom", "-n", str(adjustment), "--"]


WITHOUT_SYS_RESOURCE = ["setpriv", "--bounding-set", "-sys_resource", "--"]
OOM_SCORE = "/proc/self/oom_score_adj"
LOWER = f"""
import errno
print(open("{OOM_SCORE}").read().strip())
for score in b"-1", b"-500", b"-1000":
    try:
        print(open("{OOM_SCORE}", "wb", buffering=0).write(score))
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


@pytest.mark.parametrize("own", [-500, -1000])
def test_oom_score_is_not_inherited(start_server, own):
    host.need_own_machine()
    server = start_server(wrapper=choom(own))
    with open(f"/proc/{server.pid}/oom_score_adj", encoding="ascii") as file:
        assert int(file.read()) == own
    api = jobs.Api(server.channel)
    result = api.run("/usr/bin/python3", "-c", LOWER)
    assert result.stdout.data.split() == [b"0"] + 3 * [b"EACCES"], result
    hog = api.probe("hog-heap", 72 * jobs.MIB,
                    limits=dict(memory_bytes=32 * jobs.MIB))
    assert hog.outcome == result_pb2.OUTCOME_MEMORY_LIMIT_EXCEEDED, hog


def test_oom_score_that_programs_could_take_back(start_server):
    host.need_own_machine()
    user = [sys.executable, as_user.__file__, "single", "--"]
    config = {"listen": {"unix_socket": ""}}
    for wrapper in (WITHOUT_SYS_RESOURCE, user):
        refused(start_server, "oom_score_adj: ", "started with -1000",
                "OOMScoreAdjust=0", config=config,
                wrapper=[*choom(-1000), *wrapper])
        # Anyone may raise it, and go back.
        refused(start_server, "oom_score_adj: ", "may set it to -1000",
                config=config,
                wrapper=[*choom(-1000), *wrapper, *choom(0)])
    # Less spares nobody at his own limit; with the capability it is gone for
    # good.
    for before in (choom(-500), [*choom(-1000), *choom(0)]):
        assert runs(start_server, wrapper=[*before, *WITHOUT_SYS_RESOURCE])
    assert runs(start_server, wrapper=choom(0), user="single")


@pytest.mark.parametrize("user", [None, "single", "range", "few_capabilities"])
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
        refused(start_server, "kernel.unprivileged_userns_clone is 0",
                "set it to 1 with sysctl(8)", user="few_capabilities")
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


@pytest.mark.parametrize("missing", ["tcp_diag", "udp_diag", "inet_diag"])
def test_sockets_that_nothing_watches(start_server, missing):
    """Jobs with a loopback interface, and no others, need some modules."""
    host.need_own_machine()
    loopback = dict(network=process_pb2.NETWORK_LOOPBACK)
    modules = ["tcp_diag", "udp_diag", "inet_diag"]
    subprocess.run(["modprobe", "--all", *modules], check=True)
    gone = modules if missing == "inet_diag" else [missing]
    with sysctl("kernel.modprobe", "/nowhere"):
        subprocess.run(["rmmod", *gone], check=True)
        server = start_server()
        assert "no job can have a loopback interface" in server.log()
        assert "modprobe" in server.log()
        api = jobs.Api(server.channel)
        with pytest.raises(grpc.RpcError) as refusal:
            api.run("/bin/true", **loopback)
        assert refusal.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert "job.process.network: " in refusal.value.details()
        assert missing in refusal.value.details() or gone == modules
        assert api.run("/bin/true").outcome == jobs.SUCCEEDED
    api = jobs.Api(start_server().channel)
    assert api.run("/bin/true", **loopback).outcome == jobs.SUCCEEDED


def test_an_apparmor_profile_as_of_containers(start_server):
    with apparmor.profile(apparmor.AS_OF_CONTAINERS) as name:
        refused(start_server, f'the security profile "{name}" confines',
                "apparmor=unconfined", wrapper=apparmor.under(name))


@pytest.mark.parametrize("user", ["single", "range"])
def test_user_namespaces_without_capabilities(start_server, user):
    """As Ubuntu's AppArmor has it for programs without a profile."""
    with apparmor.profile(apparmor.ALL_BUT_CAPABILITIES) as name:
        refused(start_server, "may do nothing in the user namespace",
                "security module", wrapper=apparmor.under(name), user=user)
    with apparmor.profile(apparmor.ALL) as name:
        assert runs(start_server, wrapper=apparmor.under(name), user=user)


# Ubuntu's kernel has a switch for it, which Debian's has not: its file, below
# which the rest of the directory is but what starting a program takes.
_SWITCH = "apparmor_restrict_unprivileged_userns"
_WITH_THE_SWITCH = f"""
highest=$(cat /proc/sys/kernel/cap_last_cap)
mount -t tmpfs none /proc/sys/kernel
echo "$highest" >/proc/sys/kernel/cap_last_cap
echo "$1" >/proc/sys/kernel/{_SWITCH}
shift
exec "$@"
"""


@pytest.mark.parametrize("value", [0, 1])
def test_the_switch_for_it_is_named_where_it_is_on(start_server, value):
    with apparmor.profile(apparmor.ALL_BUT_CAPABILITIES) as name:
        log = refused(
            start_server, "may do nothing in the user namespace",
            config={"listen": {"unix_socket": ""}},
            wrapper=["unshare", "--mount", "sh", "-ec", _WITH_THE_SWITCH, "sh",
                     str(value), sys.executable, as_user.__file__, "single",
                     "--", *apparmor.under(name)])
    assert ("AppArmor restricts them: give paddockd a profile with `userns,`, "
            f"or set kernel.{_SWITCH} to 0" in log) == (value == 1), log
