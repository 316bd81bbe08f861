"""Filesystem: attacks 1, 2 and 5 to 7 of README.md."""

from errno import (EACCES, EINVAL, ELOOP, ENOENT, ENOTDIR, ENOTTY, EOPNOTSUPP,
                   EROFS, EXDEV)
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from attack import attacks
from attack import calls
from attack import host_output
from attack import on_host
from host_kernel import answer_to_flags
from host_kernel import answer_to_open
from host_kernel import flags_to_set
from host_kernel import version
from harness import errors
from harness import jobs
from harness import paths
from paddock.v1 import result_pb2

AT_FDCWD = -100
O_WRONLY, O_RDWR, O_CREAT, O_TRUNC = 1, 2, 0o100, 0o1000
O_TMPFILE, O_PATH = 0o20200000, 0o10000000


@pytest.fixture
def canary():
    """A file of the host that everybody there may read."""
    with tempfile.NamedTemporaryFile(dir="/var/tmp", prefix="canary-") as file:
        file.write(b"host secret")
        file.flush()
        os.chmod(file.name, 0o644)
        yield file.name


# 1. Files of the host.

@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/root", "/run",
                                    "/etc", "/dev/shm"])
def test_a_file_of_the_host_is_not_there(sandbox, folder):
    with tempfile.NamedTemporaryFile(dir=folder, prefix="canary-") as canary:
        canary.write(b"host secret")
        canary.flush()
        os.chmod(canary.name, 0o644)
        assert on_host("read-file", canary.name) == {"done": 11, "errno": 0}
        assert sandbox.report("read-file", canary.name) == {
            "done": 0, "errno": ENOENT}


@pytest.mark.parametrize("way", [
    "/../../..", "/usr/../..", ".." + "/.." * 40, "/proc/self/root",
    "/proc/self/root/../..", "/proc/thread-self/root",
    "/proc/self/cwd" + "/.." * 40, "/proc/self/task/../root", "/proc/1/root",
    "/proc/1/cwd/../../../../../..", "/proc/1/task/1/root",
    "/dev/fd/../root", "//proc/self/root/proc/self/root"])
def test_no_way_around_leads_to_the_host(sandbox, canary, sleeper, way):
    on_the_host = re.sub(r"\b1\b", str(sleeper), way)
    assert on_host("read-file", on_the_host + canary)["errno"] == 0
    assert sandbox.report("read-file", way + canary)["errno"] == ENOENT


@attacks(
    calls("relative_to_root", "openat -100 s:/ 0x10000",
          "openat $0 s:../..{canary} 0", inside=ENOENT),
    calls("openat2_in_root", f"openat -100 s:/ {O_PATH}",
          "openat2 $0 s:..{canary} w:0,0,0x10 24", inside=ENOENT),
    calls("through_own_symlink", "symlinkat s:/proc/{pid}/root{canary} -100 "
          "s:{tmp}/link", "openat -100 s:{tmp}/link 0", inside=ENOENT),
    calls("after_chdir_up", "chdir s:/proc/self/root/..",
          "openat -100 s:.{canary} 0", inside=ENOENT),
    calls("hard_link", f"linkat {AT_FDCWD} s:{{image_file}} {AT_FDCWD} "
          "s:{tmp}/hard 0", inside=EXDEV),
    calls("hard_link_of_descriptor", "openat -100 s:{image_file} 0",
          f"linkat {AT_FDCWD} s:/proc/self/fd/3 {AT_FDCWD} s:{{tmp}}/hard "
          "0x400", inside=EXDEV),
)
def test_no_descriptor_or_link_leads_to_the_host(
        sandbox, attack, canary, sleeper, tmp_path):
    image_file = tmp_path / "file"
    image_file.write_bytes(b"x")
    attack.check(
        sandbox, dict(canary=canary, pid=sleeper, tmp=tmp_path,
                      image_file=image_file),
        dict(canary=canary, pid=1, tmp="/tmp", image_file="/usr/bin/env"))


@pytest.mark.parametrize("path", ["/root", "/var/log", "/var/lib/dpkg",
                                  "/run", "/boot", "/home",
                                  "/etc/shadow", "/etc/hostname", "/etc/group-",
                                  "/etc/machine-id", "/sys", "/proc/mounts"])
def test_what_every_host_has_is_not_there(sandbox, path):
    script = f"[ -e {path} ] && echo there; true"
    there = b"there\n" if os.path.exists(path) else b""  # less in containers
    assert host_output("/bin/sh", "-c", script) == there
    assert sandbox.shell(script).stdout.data == b""


def test_of_etc_only_what_is_named_is_there(sandbox):
    named = {"alternatives", "group", "hosts", "ld.so.cache", "ld.so.conf",
             "ld.so.conf.d", "localtime", "nsswitch.conf", "passwd", "ssl"}
    if os.path.exists("/etc/mono"):
        named.add("mono")
    names = set(sandbox.shell("ls /etc").stdout.data.decode().split())
    assert {name for name in names if not name.startswith("java-")} == named
    assert set(os.listdir("/etc")) > {"shadow", "hostname", "passwd"}


def test_of_var_only_what_is_named_is_there(sandbox):
    listing = "cd /var && echo * lib/*"
    # The image has it only for a compiler of the host.
    inside = b"lib lib/ghc\n" if os.path.exists("/var/lib/ghc") else b""
    assert sandbox.shell(listing).stdout.data == inside
    assert set(host_output("/bin/sh", "-c", listing).split()) > {b"log", b"lib"}


def test_mounts_name_nothing_of_the_service(sandbox, server):
    mounts = sandbox.shell("cat /proc/self/mountinfo").stdout.data.decode()
    assert " / " in mounts
    assert "paddock" not in mounts and server.directory not in mounts


# 2. The image.

@attacks(
    calls("write", f"openat {AT_FDCWD} s:{{file}} {O_WRONLY}", inside=EACCES),
    calls("truncate_open", f"openat {AT_FDCWD} s:{{file}} {O_RDWR | O_TRUNC}",
          inside=EROFS),
    calls("create", f"openat {AT_FDCWD} s:{{dir}}/new {O_WRONLY | O_CREAT} 420",
          inside=EROFS),
    calls("nameless", f"openat {AT_FDCWD} s:{{dir}} {O_TMPFILE | O_RDWR} 384",
          inside=EROFS),
    calls("reopen", f"openat {AT_FDCWD} s:{{file}} 0",
          f"openat {AT_FDCWD} s:/proc/self/fd/3 {O_RDWR}", inside=EACCES),
    calls("reopen_path", f"openat {AT_FDCWD} s:{{file}} {O_PATH}",
          f"openat {AT_FDCWD} s:/proc/self/fd/3 {O_RDWR}", inside=EACCES),
    # From Linux 6.14 on the file's mode is looked at before the mount.
    calls("truncate", "truncate s:{file} 0",
          inside=EACCES if version() >= (6, 14) else EROFS),
    calls("unlink", "unlink s:{file}", inside=EROFS),
    calls("rename", "rename s:{file} s:{dir}/new", inside=EROFS),
    calls("exchange", f"renameat2 {AT_FDCWD} s:{{file}} {AT_FDCWD} s:{{other}} "
          "2", inside=EROFS),
    calls("link", "link s:{file} s:{dir}/new", inside=EROFS),
    calls("symlink", "symlink s:x s:{dir}/new", inside=EROFS),
    calls("mkdir", "mkdir s:{dir}/new 493", inside=EROFS),
    calls("mkfifo", "mknod s:{dir}/new 0x11a4 0", inside=EROFS),
    calls("chmod", "chmod s:{file} 511", inside=EROFS),
    calls("chmod_descriptor", f"openat {AT_FDCWD} s:{{file}} 0",
          "fchmod $0 511", inside=EROFS),
    calls("chown", "chown s:{file} 1000 1000", inside=EROFS),
    calls("times", f"utimensat {AT_FDCWD} s:{{file}} 0 0", inside=EROFS),
    calls("attribute", "setxattr s:{file} s:trusted.x s:y 1 0",
          inside=EOPNOTSUPP),
    # A lease would make others wait who open the file.
    calls("lease", f"openat {AT_FDCWD} s:{{file}} 0", "fcntl $0 1024 0",
          inside=EINVAL),
    # FS_IOC_SETFLAGS, which not every file system has.
    calls("flags", f"openat {AT_FDCWD} s:{{file}} 0",
          f"ioctl $0 0x40086602 i:{flags_to_set():#x}", inside=EROFS,
          host=answer_to_flags()),
)
def test_the_image_is_not_written(sandbox, attack):
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        for name in ("file", "other"):
            shutil.copy("/usr/bin/env", os.path.join(folder, name))
        host = dict(dir=folder, file=f"{folder}/file", other=f"{folder}/other")
        attack.check(sandbox, host, dict(
            dir="/usr/bin", file="/usr/bin/env", other="/usr/bin/id"))


@pytest.mark.parametrize("path, error", [
    ("/canary", EROFS), ("/etc/canary", EROFS), ("/dev/canary", EROFS),
    ("/proc/canary", ENOENT), ("/lib64/canary", EROFS)])
def test_no_file_is_made_beside_the_image(sandbox, path, error):
    assert sandbox.report("write-file", "/work/canary", 1)["errno"] == 0
    assert sandbox.report("write-file", path, 1)["errno"] == error


def test_what_is_writable_is_stated(sandbox):
    script = ("for d in / /usr /etc /proc /dev /work /tmp /dev/shm /var /home; "
              "do [ -w $d ] && echo $d; done; true")
    assert sandbox.shell(script).stdout.data.split() == [
        b"/work", b"/tmp", b"/dev/shm"]
    assert b"/usr" in host_output("/bin/sh", "-c", script).split()


# 5. Descriptors and directories that were not meant for the program.

def test_no_descriptor_is_inherited(sandbox):
    assert sandbox.report("open-descriptors") == {"done": 3, "errno": 0}
    assert sandbox.report("open-descriptors", stdin=b"x")["done"] == 3
    with open("/dev/null", "rb") as extra:
        control = on_host("open-descriptors", pass_fds=[extra.fileno()])
    assert control["done"] == 4


@attacks(
    calls("write", "write 0 s:x 1"),
    calls("truncate", "ftruncate 0 100"),
    calls("reopen", f"openat {AT_FDCWD} s:/proc/self/fd/0 {O_RDWR}",
          "write $0 s:x 1"),
    calls("unseal", "fcntl 0 1033 0"),
)
def test_the_descriptor_of_stdin_is_read_only(sandbox, attack):
    # Control: what an open memfd would allow.
    memfd = os.memfd_create("stdin", os.MFD_ALLOW_SEALING)
    os.write(memfd, b"input")
    found = on_host("calls", *attack.calls, stdin=memfd)
    os.close(memfd)
    assert found["errno"] == 0
    attack.check_inside(sandbox, {}, stdin=b"input")


# What the program itself may say to chdir(2) there is its own affair.
@pytest.mark.parametrize("directory, error, itself", [
    ("/proc/self/root", ELOOP, 0), ("/proc/self/cwd", ELOOP, 0),
    ("/proc/thread-self/root", ELOOP, 0), ("/proc/self/cwd/usr", ELOOP, 0),
    ("/proc/self/root/proc/self/cwd", ELOOP, 0),
    *((f"/proc/self/fd/{number}", ELOOP, ENOTDIR) for number in range(3)),
    ("/dev/fd/0", ELOOP, ENOTDIR), ("/proc/self/exe", ELOOP, ENOTDIR),
    ("/proc/self/ns/mnt", ELOOP, ENOTDIR),
    ("/proc/1/root", ENOENT, ENOENT), ("/proc/1/cwd", ENOENT, ENOENT)])
def test_no_working_directory_outside(
        sandbox, sleeper, directory, error, itself):
    on_the_host = directory.replace("/proc/1/", f"/proc/{sleeper}/")
    assert on_host("calls", f"chdir s:{on_the_host}", cwd="/")["errno"] == (
        ENOTDIR if itself == ENOTDIR else 0)
    result = sandbox.run("/bin/pwd", "-P", working_directory=directory)
    assert result.outcome == result_pb2.OUTCOME_EXEC_FAILED, result
    assert result.exec_error.path == directory
    assert result.exec_error.error_number == error
    inside = sandbox.report("calls", "chdir s:/", f"chdir s:{directory}")
    assert inside["errno"] == itself


@pytest.mark.parametrize("directory, seen", [
    ("//", b"/"), ("/lib", b"/usr/lib"), ("/proc/self", b"/proc/2"),
    ("/dev/fd", b"/proc/2/fd"), ("/lib/../proc", None)])
def test_a_working_directory_through_links_of_the_tree(
        sandbox, directory, seen):
    if seen is None:
        error = errors.error_of(sandbox.run, "/bin/pwd",
                                working_directory=directory)
        errors.assert_invalid(error, "job.process.working_directory")
        return
    result = sandbox.run("/bin/pwd", "-P", working_directory=directory)
    assert result.stdout.data == seen + b"\n"


# 6. The runner's own binary and process.

@pytest.mark.parametrize("script", [
    None, b"#!/proc/self/exe\n", b"#!/proc/thread-self/exe\n"])
def test_the_runner_s_binary_is_not_executed(sandbox, script):
    """CVE-2019-5736: until exec, /proc/self/exe is the worker's binary."""
    if script is None:
        result = sandbox.run("/proc/self/exe")
    else:
        result = sandbox.run("./script", inputs={"script": script})
    assert result.outcome == result_pb2.OUTCOME_EXEC_FAILED, result
    assert result.exec_error.error_number == EACCES
    control = subprocess.run(["/bin/sh", "-c", "exec /proc/self/exe -c id"],
                             capture_output=True, check=True)
    assert control.stdout


def test_the_runner_s_binary_is_not_what_exe_names(sandbox):
    seen = sandbox.shell("readlink /proc/self/exe /proc/$$/exe").stdout.data
    assert seen.split() == [b"/usr/bin/readlink", b"/usr/bin/dash"]
    result = sandbox.probe("read-file", "/proc/self/exe")
    assert jobs.probe_report(result)["done"] == os.path.getsize(paths.PROBE)


@pytest.mark.parametrize("entry", [
    "exe", "mem", "maps", "environ", "cmdline", "fd", "fdinfo", "root", "cwd",
    "cgroup", "mountinfo", "ns/mnt", "ns/user", "task/1/mem", "status", "stat",
    "limits", "oom_score_adj", "stack", "syscall", "auxv", "pagemap",
    "map_files", "io"])
def test_init_is_not_in_proc(sandbox, sleeper, entry):
    line = "openat -100 s:/proc/{}/{} 0"
    host = entry.replace("task/1/", f"task/{sleeper}/")
    assert on_host("calls", line.format(sleeper, host))["errno"] == 0
    assert sandbox.report("calls", line.format(1, entry)) == {
        "done": 0, "errno": ENOENT}


@attacks(*(calls(name, "pidfd_open {pid} 0", f"ioctl $0 {0xff00 + number}",
                 inside=EACCES, since=(6, 11), absent=ENOTTY, filtered=False)
           for number, name in enumerate(
               ["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children",
                "time", "time_for_children", "user", "uts"], 1)))
def test_a_pidfd_of_init_gives_no_namespace(sandbox, sleeper, attack):
    attack.check(sandbox, dict(pid=sleeper), dict(pid=1))


# 7. What /proc and /sys tell of the host, and change.

ALWAYS = ["sys/kernel/core_pattern", "meminfo", "cpuinfo", "uptime",
          "loadavg", "cmdline", "interrupts", "stat", "version", "devices",
          "filesystems", "sys/user/max_user_namespaces"]
BY_BUILD = ["sys/kernel/ns_last_pid", "swaps", "sysrq-trigger", "kcore",
            "kmsg", "keys", "key-users", "timer_list", "sched_debug",
            "latency_stats", "kallsyms", "kpagecount", "kpageflags",
            "kpagecgroup", "slabinfo", "vmallocinfo", "iomem", "ioports",
            "modules", "acpi", "scsi", "asound", "config.gz", "buddyinfo",
            "pagetypeinfo", "zoneinfo", "locks", "schedstat", "mtrr", "irq",
            "bus", "fs", "driver", "tty", "sysvipc", "partitions", "diskstats",
            "crypto", "cgroups", "pressure/cpu", "bootconfig"]


def entry_of_host(name, answer, flags=0):
    return calls(name.replace("/", "_"),
                 f"openat {AT_FDCWD} s:/proc/{name} {flags}",
                 inside=ENOENT, host=answer)


@attacks(*(entry_of_host(name, 0) for name in ALWAYS),
         # Which nobody may read.
         entry_of_host("sys/vm/drop_caches", 0, O_WRONLY),
         *(entry_of_host(name, answer_to_open(f"/proc/{name}"))
           for name in BY_BUILD))
def test_proc_has_nothing_but_processes(sandbox, attack):
    attack.check(sandbox)


@attacks(*(calls(path.strip("/").replace("/", "_"),
                 f"openat {AT_FDCWD} s:{path} 0", inside=ENOENT)
           for path in ("/sys", "/sys/kernel", "/sys/fs", "/sys/class",
                        "/sys/devices/system/cpu", "/proc/sys",
                        "/proc/self/net/../../sys")))
def test_there_is_no_sysfs_and_no_sysctl(sandbox, attack):
    attack.check(sandbox)


@pytest.mark.parametrize("entry", ["stack", "clear_refs", "mem", "pagemap"])
def test_own_entries_tell_no_kernel_address(sandbox, entry):
    """`stack` needs a capability; the rest is the program's own memory."""
    wanted = EACCES if entry == "stack" else 0
    flags = O_WRONLY if entry == "clear_refs" else 0
    lines = [f"openat {AT_FDCWD} s:/proc/self/{entry} {flags}"]
    if entry == "stack":
        lines.append("read $0 z: 100")
    assert on_host("calls", *lines)["errno"] == 0
    assert sandbox.report("calls", *lines)["errno"] == wanted
