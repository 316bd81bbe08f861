"""Processes: attacks 11 to 14 of README.md."""

from errno import EACCES, EFAULT, EINVAL, ENOENT, ENOMEM, EPERM, ESRCH
import dataclasses
import json
import os
import subprocess

import pytest

from attack import USER
from attack import attacks
from attack import calls
from attack import host_output
from attack import on_host
from attack import program_of
from attack import status_of
from host_kernel import answer
from host_kernel import answer_to_access
from host_kernel import answer_to_raise
from host_kernel import capable
from host_kernel import version
from harness import jobs
from harness import paths
from harness.server import wait_until

SIGKILL, SIGTERM, SIGSTOP, SIGCHLD = 9, 15, 19, 17
SI_QUEUE = 0xffffffff


# 11. Processes outside, and init.

# With a single id, before Landlock's scopes, a signal to init may be sent; it is
# ignored, as pid_namespaces(7) says of process 1: the program goes on.
SAME_USER = USER == "single" and version() < (6, 12)

@attacks(
    *(calls(f"kill_{number}", f"kill {{pid}} {number}")
      for number in (0, SIGKILL, SIGTERM, SIGSTOP, SIGCHLD)),
    calls("tkill", f"tkill {{pid}} {SIGKILL}"),
    calls("tgkill", f"tgkill {{pid}} {{pid}} {SIGKILL}"),
    calls("queue", f"rt_sigqueueinfo {{pid}} {SIGKILL} i:9,0,{SI_QUEUE}"),
    calls("queue_child", f"rt_sigqueueinfo {{pid}} {SIGCHLD} "
          f"i:17,0,{SI_QUEUE}"),
    calls("queue_thread", f"rt_tgsigqueueinfo {{pid}} {{pid}} {SIGKILL} "
          f"i:9,0,{SI_QUEUE}"),
    calls("pidfd", "pidfd_open {pid} 0",
          f"pidfd_send_signal $0 {SIGKILL} 0 0"),
    # PIDFD_SIGNAL_THREAD_GROUP.
    calls("pidfd_scope", "pidfd_open {pid} 0",
          f"pidfd_send_signal $0 {SIGKILL} 0 2", since=(6, 9), absent=EINVAL,
          filtered=False),
)
def test_init_takes_no_signal(sandbox, attack, victim):
    if SAME_USER:
        attack = dataclasses.replace(attack, inside=0)
    attack.check(sandbox, dict(pid=victim), dict(pid=1))


@attacks(
    calls("kill", "kill {pid} 0", inside=ESRCH),
    calls("tgkill", "tgkill {pid} {pid} 0", inside=ESRCH),
    calls("pidfd", "pidfd_open {pid} 0", inside=ESRCH),
    calls("group_of", "getpgid {pid}", inside=ESRCH),
    calls("priority_of", "getpriority 0 {pid}", inside=ESRCH),
    calls("affinity_of", "sched_getaffinity {pid} 128 z:", inside=ESRCH),
)
@pytest.mark.parametrize("whose", ["sleeper", "worker", "server"])
def test_a_process_of_the_host_has_no_number(
        sandbox, server, sleeper, attack, whose):
    with open(f"/proc/{server.pid}/task/{server.pid}/children",
              encoding="ascii") as file:
        children = file.read().split()
    pid = {"sleeper": sleeper, "worker": children[-1],
           "server": server.pid}[whose]
    attack.check(sandbox, dict(pid=pid), dict(pid=pid))


@attacks(calls("kill", "kill -{group} 0", inside=ESRCH),
         calls("priority", "getpriority 1 {group}", inside=ESRCH))
def test_a_group_of_the_host_has_no_number(sandbox, sleeper, attack):
    """It leads its own: that of the tests may have a number as small as those
    inside."""
    attack.check(sandbox, dict(group=sleeper), dict(group=sleeper))


def test_a_signal_to_everyone_reaches_only_the_job(sandbox):
    script = "sleep 1000 & /tmp/probe kill-all"
    with open(paths.PROBE, "rb") as file:
        inputs = {"/tmp/probe": file.read()}
    result = sandbox.shell(script, inputs=inputs)
    assert result.outcome == jobs.SIGNALED
    assert result.term_signal == SIGKILL
    # Control: alike in a pid namespace of its own.
    output = host_output("unshare", "-p", "--fork", "/bin/sh", "-c",
                         f"sleep 1000 & {paths.PROBE} kill-all; wait")
    assert json.loads(output) == {"done": 0, "errno": 0}


def test_the_owner_of_a_descriptor_gets_no_signal(sandbox, victim):
    """F_SETSIG, F_SETOWN and O_ASYNC: data sends SIGKILL to init."""
    lines = ["socketpair 1 1 0 z:", "fcntl 3 10 9", "fcntl 3 8 {pid}",
             "fcntl 3 4 0x2000", "write 4 s:x 1"]
    sent = {"done": len(lines), "errno": 0}
    assert on_host("calls", *(line.format(pid=victim)
                              for line in lines)) == sent
    end = os.waitid(os.P_PID, victim, os.WEXITED | os.WNOWAIT)
    assert (end.si_code, end.si_status) == (os.CLD_KILLED, SIGKILL)
    # From the same worker process, whose init it would have been.
    assert sandbox.report("calls", *(line.format(pid=1)
                                     for line in lines)) == sent


def test_other_processes_are_not_seen(sandbox):
    script = "echo /proc/[0-9]*; echo $$"
    assert sandbox.shell(script).stdout.data == b"/proc/2\n2\n"
    assert len(host_output("/bin/sh", "-c", script).split()) > 5


ORPHAN = """
import os, time
read, write = os.pipe()
parent = os.fork()
if parent == 0:
    parent = os.getpid()
    if os.fork() > 0: os._exit(0)
    while os.getppid() == parent: time.sleep(0.01)
    try:
        os.kill(os.getppid(), 9)
        os.write(write, b'sent')
    except PermissionError:
        os.write(write, b'refused')
    os._exit(0)
os.close(write)
os.write(1, os.read(read, 100))
"""
# prctl(2), PR_SET_CHILD_SUBREAPER: orphans are this one's.
REAPER = """
import ctypes, signal, subprocess, sys
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
subprocess.run([sys.executable, '-c', sys.argv[1]])
signal.pause()
"""


def test_an_orphan_cannot_end_init(sandbox):
    """Init is its parent then, and takes a signal no more than before."""
    control = subprocess.run(["/usr/bin/python3", "-c", REAPER, ORPHAN],
                             stdout=subprocess.PIPE, check=False,
                             timeout=20)
    assert (control.stdout, control.returncode) == (b"sent", -SIGKILL)
    result = sandbox.python(ORPHAN)
    assert result.outcome == jobs.SUCCEEDED
    assert result.stdout.data == (b"sent" if SAME_USER else b"refused")


# 12. The inside of init.

READ_LOCAL = "getcwd z: 100"


@attacks(
    calls("attach", "ptrace 16 {pid} 0 0"),
    calls("seize", "ptrace 0x4206 {pid} 0 0"),
    calls("trace_me", "ptrace 0 0 0 0"),
    calls("read_memory", READ_LOCAL,
          "process_vm_readv {pid} w:@0,8 1 w:{address},8 1 0"),
    calls("write_memory", READ_LOCAL,
          "process_vm_writev {pid} w:@0,8 1 w:{address},8 1 0", host=EFAULT),
    calls("get_limit", "prlimit64 {pid} 7 0 z:"),
    calls("set_limit", "prlimit64 {pid} 7 w:1,1 0"),
    # Only the low half of the number counts.
    calls("set_limit_high_bits", "prlimit64 {high_pid} 7 w:1,1 0"),
    calls("compare", "kcmp {pid} {pid} 0 0 0"),
    calls("take_descriptor", "pidfd_open {pid} 0", "pidfd_getfd $0 0 0"),
    calls("advise", "pidfd_open {pid} 0",
          "process_madvise $0 w:{address},4096 1 20 0"),
    calls("reap_memory", "pidfd_open {pid} 0", "process_mrelease $0 0",
          host=EINVAL),
    calls("robust_list", "get_robust_list {pid} z: z:"),
    calls("perf", "perf_event_open i:1,112,0,0 {pid} -1 -1 0"),
    calls("move_pages", "move_pages {pid} 0 0 0 0 0",
          host=answer("move_pages")),
    calls("migrate_pages", "migrate_pages {pid} 65 w:1 w:1",
          host=answer("migrate_pages")),
    calls("affinity", "sched_setaffinity {pid} 8 w:1"),
    calls("scheduler", "sched_setscheduler {pid} 3 i:0"),
    calls("parameter", "sched_setparam {pid} i:0"),
    calls("attributes", "sched_setattr {pid} i:48,3 0"),
    calls("priority", "setpriority 0 {pid} 19"),
    calls("io_priority", "ioprio_set 1 {pid} 0x6000"),
)
def test_init_is_not_touched(sandbox, attack, victim):
    with open(f"/proc/{victim}/maps", encoding="ascii") as maps:
        address = int(maps.read().split("-")[0], 16)
    attack.check(
        sandbox,
        dict(pid=victim, high_pid=victim | 1 << 32, address=address),
        dict(pid=1, high_pid=1 | 1 << 32, address=address))


def test_init_has_nothing_to_take(sandbox, server):
    """As the host sees it, while a program runs."""
    call = sandbox.api.start(jobs.make_process("/bin/sleep", "2"))
    wait_until(lambda: program_of(server), 20)
    program = program_of(server)
    init = int(status_of(program)["PPid"])
    status = status_of(init)
    assert not any(int(status[f"Cap{name}"], 16)
                   for name in ("Inh", "Prm", "Eff", "Bnd", "Amb"))
    assert status["NoNewPrivs"] == "1"
    assert not status["Groups"].strip()
    init_uid, = set(map(int, status["Uid"].split()))
    program_uid = int(status_of(program)["Uid"].split()[0])
    assert os.stat(f"/proc/{program}/environ").st_uid == program_uid
    if USER == "single":  # who is root of the namespace too
        assert init_uid == program_uid != 0
    else:
        # What is not dumpable is root's in /proc: proc(5).
        assert os.stat(f"/proc/{init}/environ").st_uid != init_uid
        assert init_uid not in (0, program_uid)
    # Its socket to the worker, and what tells it that a child ended.
    kinds = sorted(os.readlink(f"/proc/{init}/fd/{name}").split(":[")[0]
                   for name in os.listdir(f"/proc/{init}/fd"))
    assert kinds == ["anon_inode", "socket"]
    assert call.result().result.outcome == jobs.SUCCEEDED
    sandbox.assert_clean()


# 13. Namespaces of others, by descriptors of one's own.

KINDS = {"mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000,
         "ipc": 0x8000000, "pid": 0x20000000, "net": 0x40000000,
         "time": 0x80}


@attacks(
    *(calls(kind, f"openat -100 s:/proc/self/ns/{kind} 0", f"setns $0 {flag}",
            new="m")
      for kind, flag in KINDS.items()),
    calls("user", "openat -100 s:/proc/self/ns/user 0",
          "setns $0 0x10000000", host=EINVAL),
    calls("any", "openat -100 s:/proc/self/ns/net 0", "setns $0 0"),
    calls("pidfd_of_init", "pidfd_open {pid} 0", "setns $0 0x40020000",
          new="m"),
    calls("of_init", "openat -100 s:/proc/{pid}/ns/mnt 0", "setns $0 0",
          inside=ENOENT, refused=0, new="m"),
)
def test_no_namespace_is_entered(sandbox, attack, sleeper):
    attack.check(sandbox, dict(pid=sleeper), dict(pid=1))


@pytest.fixture
def nested():
    """The pid of a process below ours in every kind of namespace."""
    shell = subprocess.Popen(
        ["unshare", "-m", "-u", "-i", "-n", "-p", "-C", "-U", "-T", "--fork",
         "--kill-child", "/bin/sh", "-c", "echo; sleep 1000"],
        stdout=subprocess.PIPE)
    shell.stdout.readline()
    with open(f"/proc/{shell.pid}/task/{shell.pid}/children",
              encoding="ascii") as file:
        yield int(file.read())
    shell.kill()
    shell.wait()


NS_GET_USERNS, NS_GET_PARENT = 0xb701, 0xb702
# Whoever asks for an owner is told of none but his own user namespace and those
# below it: ioctl_nsfs(2). The mounts of a service that is not root of the host
# are a copy made together with the program's user namespace, which locks each
# tree to the ones above it (EnterUserNamespace in worker/init/program.cc):
# theirs is that one, a namespace without any capability. Root's own mounts, and
# all other namespaces, belong to one outside.
OWNED = {"mnt"} if USER else set()


@attacks(
    *(calls(f"owner_of_{kind}", f"openat -100 s:{{ns}}/{kind} 0",
            f"ioctl $0 {NS_GET_USERNS}", inside=0 if kind in OWNED else EPERM)
      for kind in KINDS),
    *(calls(f"parent_of_{kind}", f"openat -100 s:{{ns}}/{kind} 0",
            f"ioctl $0 {NS_GET_PARENT}") for kind in ("pid", "user")),
)
def test_no_namespace_leads_to_its_parent(sandbox, attack, nested):
    attack.check(sandbox, dict(ns=f"/proc/{nested}/ns"),
                 dict(ns="/proc/self/ns"))


def test_every_namespace_is_its_own(sandbox):
    kinds = [*KINDS, "user"]
    script = "for n in %s; do readlink /proc/self/ns/$n; done" % " ".join(kinds)
    runs = [sandbox.shell(script).stdout.data.decode().split()
            for _ in range(4)]
    host = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
    for seen in runs:
        assert len(seen) == len(kinds)
        assert not set(seen) & set(host)
    # The kernel gives a number again when its namespace is gone, so two runs may
    # have the same one; a namespace that is kept has it always.
    for of_kind in zip(*runs):
        assert len(set(of_kind)) > 1, of_kind


# 14. Raising what was set.

MAY_RAISE = capable("sys_resource")
AUTOGROUP = "/proc/self/autogroup"
ADJUST = "openat -100 s:/proc/self/oom_score_adj 1"
DEADLINE = "i:48,6,0,0,0,0,10000000,0,30000000,0,30000000,0"


@attacks(
    # The first write is the control where root may not do the second one.
    calls("oom_score", ADJUST, "write $0 s:500 3", "write $0 s:-1000 5",
          inside=EACCES, host=0 if MAY_RAISE else EACCES),
    calls("fifo", "sched_setscheduler 0 1 i:1"),
    calls("round_robin", "sched_setscheduler 0 2 i:1"),
    calls("fifo_reset_on_fork", "sched_setscheduler 0 0x40000001 i:1"),
    calls("deadline", f"sched_setattr 0 {DEADLINE} 0"),
    calls("nice", "setpriority 0 0 -1", inside=EACCES),
    calls("nice_up_and_down", "setpriority 0 0 19", "setpriority 0 0 18",
          inside=EACCES),
    calls("nice_by_attributes", "sched_setattr 0 i:48,0,0,0,0xffffffec 0"),
    calls("io_class", "ioprio_set 1 0 0x2000"),
    calls("autogroup", f"openat -100 s:{AUTOGROUP} 1",
          "write $0 s:-5 2", host=answer_to_access(AUTOGROUP)),
    calls("lock_memory", "mmap 0 0x1000000 3 0x22 -1 0",
          "mlock $0 0x1000000", inside=ENOMEM),
    calls("lock_all", "mmap 0 0x1000000 3 0x8022 -1 0", "mlockall 1",
          inside=ENOMEM),
    calls("io_flusher", "prctl 57 1 0 0 0",
          host=0 if MAY_RAISE else EPERM),
    # Where the code ends, for those who look at /proc/PID/stat.
    calls("memory_layout", "mmap 0 4096 3 0x22 -1 0", "prctl 35 2 $0 0 0",
          host=0 if MAY_RAISE else EPERM),
)
def test_no_priority_is_raised(sandbox, attack):
    attack.check(sandbox)


# That of core dumps: test_exhaustion.py.
LIMITS = {"cpu": 0, "fsize": 1, "stack": 3, "nproc": 6, "nofile": 7, "memlock": 8,
          "sigpending": 11, "msgqueue": 12, "nice": 13, "rtprio": 14}
MORE = "w:0xffffffffffffffff,0xffffffffffffffff"


@attacks(
    # What it is may be set again: the control of setting more.
    *(calls(name, f"getrlimit {number} z:", f"setrlimit {number} @0",
            f"setrlimit {number} {MORE}", host=answer_to_raise(number))
      for name, number in LIMITS.items()),
    *(calls(f"{name}_of_pid_0", f"prlimit64 0 {number} 0 z:",
            f"prlimit64 0 {number} @0 0", f"prlimit64 0 {number} {MORE} 0",
            host=answer_to_raise(number))
      for name, number in LIMITS.items()),
)
def test_no_limit_is_raised(sandbox, attack):
    attack.check(sandbox)


COUNT_MINE = """
import os, resource, sys
limit = resource.RLIMIT_NPROC
print(*resource.getrlimit(limit))
if os.getuid() == 0:  # whom it does not hold; nobody else has this id
    os.setresuid(*[1 << 24 | os.getpid()] * 3)
resource.setrlimit(limit, (5, 5))
read, write = os.pipe()
made = 1
try:
    while made < 9:
        if os.fork() == 0:
            os.close(write)
            os._exit(len(os.read(read, 1)))
        made += 1
except BlockingIOError:
    pass
print(made)
os.close(write)
while made > 1:
    os.wait()
    made -= 1
"""


def test_the_limit_of_a_user_counts_the_job_only(sandbox):
    """The second line: never the first to refuse, twice what the group has."""
    control = host_output("/usr/bin/python3", "-c", COUNT_MINE).split()
    assert control[2] == b"5" and control[1] != b"128"
    for processes in (64, 100):
        result = sandbox.python(COUNT_MINE, limits=dict(processes=processes))
        most = b"%d" % (2 * processes)
        assert result.stdout.data.split() == [most, most, b"5"]
        assert not result.limits_hit
