"""Profiles: what each weakening opens, and that nothing else opens with it."""

import json
import os
import subprocess

import pytest
from paddock.v1 import profile_pb2

from harness import errors
from harness import jobs
from harness import nested_namespaces
from harness import paths
from harness.metrics import Scrape
from harness.server import StartFailed
from harness.time_scale import scaled

EPERM, ENOENT, EROFS, EACCES = 1, 2, 30, 13
CI, WATCH, DEBUG, PROC = "ci", "watch", "debug", "proc"
PROFILES = [{"name": CI},
            {"name": WATCH, "weakenings": ["inotify"]},
            {"name": DEBUG, "weakenings": ["ptrace"]},
            {"name": PROC, "weakenings": ["full_proc"]}]
EVERY = ["", "default", CI, WATCH, DEBUG, PROC]


@pytest.fixture(scope="session")
def server_config():
    return {"sandbox": {"profiles": PROFILES}}


def on_host(*arguments):
    done = subprocess.run([paths.PROBE, *map(str, arguments)],
                          capture_output=True, check=False)
    return json.loads(done.stdout)


def inside(api, profile, *arguments):
    return jobs.probe_report(api.probe(*arguments, profile=profile))


def expect_only(api, opened, wanted, denied, *probe):
    """The probe gives `wanted` under the profiles `opened`, else an errno."""
    for profile in EVERY:
        report = inside(api, profile, *probe)
        if profile in opened:
            assert report == wanted, profile
        else:
            assert report["errno"] == denied, (profile, report)


def test_inotify(api, tmp_path):
    wanted = {"done": 3, "errno": 0}
    assert on_host("watch", tmp_path) == wanted
    expect_only(api, {CI, WATCH}, wanted, EPERM, "watch", "/work")


def test_ptrace(api):
    wanted = {"done": 42, "errno": 0}
    assert on_host("trace-child") == wanted
    assert on_host("read-child") == wanted
    expect_only(api, {DEBUG}, wanted, EPERM, "trace-child")
    expect_only(api, {DEBUG}, wanted, EPERM, "read-child")


def test_ptrace_does_not_reach_init(api):
    assert on_host("trace", os.getpid()) == {"done": 0, "errno": 0}
    assert inside(api, DEBUG, "trace", 1)["errno"] == EPERM


def test_leak_checks_work_under_ptrace(api):
    """LeakSanitizer stops its own threads by ptrace."""
    source = b"int main() { new int[100]; return 0; }\n"
    script = "g++ -g -fsanitize=address leak.cc -o leak && ./leak"
    limits = dict(memory_bytes=1 << 30)
    results = {
        profile: api.shell(script, inputs={"leak.cc": source}, limits=limits,
                           stderr_to_stdout=True, profile=profile)
        for profile in ("", DEBUG)}
    assert b"detected memory leaks" in results[DEBUG].stdout.data
    assert b"detected memory leaks" not in results[""].stdout.data


SHOWN = {"cpuinfo", "filesystems", "loadavg", "meminfo", "mounts", "net",
         "self", "stat", "swaps", "sys", "sysvipc", "thread-self", "uptime",
         "version", "vmstat"}
# Those that tell most, by name: a mistake in SHOWN must not hide one.
DANGEROUS = {"kcore", "keys", "key-users", "timer_list", "sched_debug",
             "latency_stats", "kallsyms", "kpagecount", "kpageflags",
             "kpagecgroup", "slabinfo", "vmallocinfo", "iomem", "ioports",
             "modules", "cmdline", "kmsg", "interrupts", "sysrq-trigger"}

LOOK_INTO_PROC = r"""
import json, os, stat
found = {}
for name in os.listdir('/proc'):
    if name.isdigit(): continue
    path = '/proc/' + name
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode): found[name] = len(os.listdir(path))
    elif stat.S_ISLNK(mode): found[name] = 'link'
    else:
        try: found[name] = len(open(path, 'rb').read(100))
        except OSError as error: found[name] = -error.errno
print(json.dumps(found))
"""


@pytest.mark.parametrize("profile", [CI, PROC])
def test_full_proc_shows_what_is_harmless(api, profile):
    seen = json.loads(api.python(LOOK_INTO_PROC, profile=profile).stdout.data)
    host = {name for name in os.listdir("/proc") if not name.isdigit()}
    assert set(seen) == host
    for name in SHOWN & host:
        assert seen[name], name
    # Covered by an empty file or directory.
    assert {name: seen[name] for name in host - SHOWN} == dict.fromkeys(
        host - SHOWN, 0)
    assert not DANGEROUS & SHOWN


def test_what_is_masked_could_be_read(api):
    """The control: the same look finds something on the host."""
    done = subprocess.run(["/usr/bin/python3", "-c", LOOK_INTO_PROC],
                          capture_output=True, check=True)
    host = json.loads(done.stdout)
    assert len(DANGEROUS & set(host)) >= 5
    assert any(host[name] for name in DANGEROUS & set(host))


def test_proc_has_processes_only_by_default(api):
    for profile in ("", "default", WATCH, DEBUG):
        seen = json.loads(
            api.python(LOOK_INTO_PROC, profile=profile).stdout.data)
        assert set(seen) == {"self", "thread-self"}, profile


def test_full_proc_cannot_be_written(api):
    sysctl = "/proc/sys/kernel/core_pattern"
    assert inside(api, CI, "read-file", sysctl)["errno"] == 0
    # By the mount; where there is nothing to cut off, the mode is looked at
    # before.
    assert inside(api, CI, "write-file", sysctl, 1)["errno"] == EROFS
    assert inside(api, CI, "calls", f"openat -100 s:{sysctl} 1")[
        "errno"] == EACCES
    mounts = api.run("/bin/cat", "/proc/self/mountinfo",
                     profile=CI).stdout.data.decode()
    options = {line.split()[4]: line.split()[5].split(",")
               for line in mounts.splitlines()}
    assert "ro" in options["/proc/sys"]
    assert {"nosuid", "nodev", "noexec"} <= set(options["/proc"])


def test_no_user_namespace_can_be_made_inside(api):
    """A second line: the filter refuses to make one at all."""
    nested_namespaces.assert_none(api)


def test_full_proc_hides_other_users(api):
    """init is another user: hidepid=2."""
    names = api.run("/bin/ls", "/proc", profile=CI).stdout.data.split()
    assert b"cpuinfo" in names and b"1" not in names
    assert b"1" in os.listdir(b"/proc")


@pytest.mark.parametrize("command", [
    ["ps", "aux"], ["free"], ["uptime"], ["vmstat"],
    ["node", "-e", "process.exit(require('os').cpus().length ? 0 : 1)"]])
def test_tools_that_need_the_full_proc(api, command):
    limits = dict(memory_bytes=1 << 30)
    assert api.run(*command, profile=CI,
                   limits=limits).outcome == jobs.SUCCEEDED
    assert api.run(*command, limits=limits).outcome == jobs.NONZERO_EXIT


CMAKE_LISTS = b"""cmake_minimum_required(VERSION 3.20)
project(sum C)
add_executable(check check.c sum.c)
enable_testing()
add_test(NAME sums COMMAND check)
"""
SUM = b"int sum(int a, int b) { return a + b; }\n"
CHECK = b"int sum(int, int);\nint main(void) { return sum(40, 2) != 42; }\n"
BUILD = "cmake -G Ninja -B build && ninja -C build && ctest --test-dir build"


@pytest.mark.parametrize("sum_source, outcome, said", [
    (SUM, jobs.SUCCEEDED, b"100% tests passed, 0 tests failed out of 1"),
    # The controls: the summary is ctest's, and what the compiler says is seen.
    (SUM.replace(b"+", b"-"), jobs.NONZERO_EXIT,
     b"0% tests passed, 1 tests failed out of 1"),
    (SUM.replace(b";", b""), jobs.NONZERO_EXIT, b": error: expected ")],
    ids=["good", "failing_test", "syntax_error"])
def test_a_project_is_built_and_tested(api, sum_source, outcome, said):
    """What ci is for: a whole chain of build tools."""
    result = api.shell(BUILD, profile=CI, stderr_to_stdout=True, inputs={
        "CMakeLists.txt": CMAKE_LISTS, "check.c": CHECK, "sum.c": sum_source},
        limits=dict(memory_bytes=1 << 30, cpu_time=scaled(30),
                    wall_time=scaled(60), processes=64))
    assert result.outcome == outcome, result
    assert said in result.stdout.data, result


# netlink, packet, alg, vsock: of them this host's kernel has netlink at least.
OPEN_SOCKETS = """
import socket
for family in (16, 17, 38, 40):
    try: socket.socket(family, socket.SOCK_RAW if family < 20 else 5).close()
    except OSError as error: print(family, error.errno)
    else: print(family, 0)
"""


def test_a_netlink_socket_could_be_opened():
    done = subprocess.run(["/usr/bin/python3", "-c", OPEN_SOCKETS],
                          capture_output=True, check=True)
    assert b"16 0\n" in done.stdout


@pytest.mark.parametrize("profile", EVERY)
def test_the_rest_is_denied_under_every_profile(api, profile):
    assert inside(api, profile, "unshare-user")["errno"] == EPERM
    sockets = api.python(OPEN_SOCKETS, profile=profile).stdout.data
    assert sockets == b"16 97\n17 97\n38 97\n40 97\n"
    result = api.probe("foreign-call", profile=profile)
    assert jobs.outcome_name(result.outcome) == "POLICY_VIOLATION"
    assert inside(api, profile, "write-file", "/usr/canary",
                  1)["errno"] == EROFS
    status = api.run("/bin/cat", "/proc/self/status", profile=profile)
    assert b"CapBnd:\t0000000000000000\n" in status.stdout.data


@pytest.mark.parametrize("profile", ["other", "Default", "../ci", "c i"])
def test_a_profile_that_is_not_there(api, profile):
    error = errors.error_of(api.run, "/bin/true", profile=profile)
    errors.assert_invalid(error, "job.process.profile")


def test_ci_has_to_be_enabled(start_server):
    api = jobs.Api(start_server().channel)
    assert [profile.name for profile in api.info().profiles] == ["default"]
    error = errors.error_of(api.run, "/bin/true", profile=CI)
    errors.assert_invalid(error, "job.process.profile")
    assert api.run("/bin/true", profile="default").outcome == jobs.SUCCEEDED


def test_profiles_are_told_logged_and_counted(server, api):
    told = {profile.name: [profile_pb2.Weakening.Name(token)
                           for token in profile.weakenings]
            for profile in api.info().profiles}
    assert told == {"default": [], WATCH: ["WEAKENING_INOTIFY"],
                    CI: ["WEAKENING_FULL_PROC", "WEAKENING_INOTIFY"],
                    DEBUG: ["WEAKENING_PTRACE"],
                    PROC: ["WEAKENING_FULL_PROC"]}
    for line in ("profile ci weakens sandboxes by full_proc",
                 "profile ci weakens sandboxes by inotify",
                 "profile debug weakens sandboxes by ptrace"):
        assert line in server.log()
    assert "profile default weakens" not in server.log()
    name = "paddock_profile_runs_total"
    before = {profile: Scrape(server).total(name, profile=profile)
              for profile in ("default", CI)}
    api.run("/bin/true", profile=CI)
    api.run("/bin/true")
    api.run("/bin/true", profile="default")
    scrape = Scrape(server)
    assert scrape.total(name, profile=CI) == before[CI] + 1
    assert scrape.total(name, profile="default") == before["default"] + 2


def test_a_sandbox_is_of_the_profile_that_was_asked_for(api):
    """A warm one stands ready for the profile asked for last."""
    for _ in range(3):
        for profile, visible in ((CI, True), ("", False)):
            for _ in range(3):
                report = inside(api, profile, "read-file", "/proc/meminfo")
                assert (report["errno"] == 0) == visible


@pytest.mark.parametrize("profiles, complaint", [
    ([{"name": "x", "weakenings": ["user_namespaces"]}],
     "expected one of full_proc, inotify, ptrace"),
    ([{"name": "x", "weakenings": ["unspecified"]}], "expected one of"),
    ([{"name": "default", "weakenings": ["ptrace"]}], "weakens nothing"),
    ([{"name": "x"}], "sandbox.profiles[1].weakenings: empty"),
    ([{"name": "x", "weakenings": ["ptrace", "ptrace"]}],
     "'ptrace' is given twice"),
    ([{"name": "ci"}, {"name": "ci"}], "'ci' is a name above too"),
    ([{"name": "X", "weakenings": ["ptrace"]}], "is not 1 to 64 characters")])
def test_a_profile_the_configuration_cannot_have(start_server, profiles,
                                                 complaint):
    with pytest.raises(StartFailed) as failed:
        start_server({"sandbox": {"profiles": profiles}})
    assert complaint in failed.value.log
