"""Filesystem: attacks 3, 4 and 8 to 10 of README.md."""

from errno import (EACCES, EBADF, EBUSY, EINVAL, ENOENT, ENOSYS, EPERM,
                   EROFS, ESTALE)
import glob
import os
import subprocess
import sys
import tempfile

import pytest

from attack import USER
from attack import attacks
from attack import calls
from attack import host_output
from attack import on_host
from attack import program_of
from attack import status_of
from host_kernel import answer_to_access
from harness import jobs
from harness.server import Server
from harness.server import wait_until

MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC, MS_SHARED = (
    0x20, 0x1000, 0x2000, 0x4000, 1 << 20)
NO_SUID_DEV = 6  # MS_NOSUID | MS_NODEV, which are locked too
MNT_DETACH = 2
O_PATH, AT_EMPTY_PATH, AT_RECURSIVE = 0o10000000, 0x1000, 0x8000
OPEN_TREE_CLONE, MOVE_MOUNT_F_EMPTY_PATH = 1, 4
FSCONFIG_SET_STRING, FSCONFIG_CMD_CREATE, FSCONFIG_CMD_RECONFIGURE = 1, 6, 7
STATMOUNT, LISTMOUNT, OPEN_TREE_ATTR = 457, 458, 467
TMPFS = "mount s:none s:/tmp s:tmpfs 0 0"


# 3. Mounts of every kind, by both interfaces.

@attacks(
    calls("tmpfs", TMPFS, new="m"),
    calls("proc", "mount s:none s:/tmp s:proc 0 0", new="m"),
    calls("sysfs", "mount s:none s:/tmp s:sysfs 0 0", new="m"),
    calls("devpts", "mount s:none s:/tmp s:devpts 0 s:newinstance", new="m"),
    calls("mqueue", "mount s:none s:/tmp s:mqueue 0 0", new="m"),
    calls("hugetlbfs", "mount s:none s:/tmp s:hugetlbfs 0 0", new="m"),
    calls("overlay", "mount s:none s:/tmp s:overlay 0 "
          "s:lowerdir=/usr:/etc", new="m"),
    calls("bind", f"mount s:/usr s:/tmp 0 {MS_BIND | MS_REC} 0", new="m"),
    calls("bind_of_descriptor", "openat -100 s:/ 0",
          f"mount s:/proc/self/fd/3 s:/tmp 0 {MS_BIND} 0", new="m"),
    calls("remount_writable", f"mount 0 s:/proc 0 {MS_REMOUNT} 0", new="m"),
    calls("remount_bind", f"mount 0 s:/proc 0 {MS_REMOUNT | MS_BIND} 0",
          new="m"),
    calls("share", f"mount 0 s:/ 0 {MS_SHARED | MS_REC} 0", new="m"),
    calls("move", f"mount s:/dev/shm s:/tmp 0 {MS_MOVE} 0", new="m"),
    # The type word's high half is no reason to let it pass.
    calls("magic_flags", f"mount s:none s:/tmp s:tmpfs {0xc0ed0000} 0",
          new="m"),
    calls("unmount_proc", f"umount2 s:/proc {MNT_DETACH}", new="m"),
    calls("unmount_shm", "umount2 s:/dev/shm 0", new="m"),
    calls("unmount_nofollow", f"umount2 s:/dev/shm {8 | MNT_DETACH}", new="m"),
)
def test_no_mount(sandbox, attack):
    attack.check(sandbox)


@attacks(
    calls("open_tree", f"open_tree -100 s:/ {OPEN_TREE_CLONE | AT_RECURSIVE}"),
    calls("open_tree_plain", "open_tree -100 s:/ 0"),
    calls("move_mount", f"openat -100 s:/dev/shm {O_PATH}",
          f"move_mount $0 s: -100 s:/tmp {MOVE_MOUNT_F_EMPTY_PATH}", new="m"),
    calls("fsopen_tmpfs", "fsopen s:tmpfs 0"),
    calls("fsopen_proc", "fsopen s:proc 0"),
    calls("fsopen_cgroup2", "fsopen s:cgroup2 0"),
    calls("fspick", "fspick -100 s:/dev/shm 0"),
    calls("fsconfig", f"fsconfig -1 {FSCONFIG_CMD_CREATE} 0 0 0", host=EINVAL),
    calls("fsmount", "fsmount -1 0 0", host=EBADF),
    calls("mount_setattr", "mount_setattr -100 s:/proc 0 w:0,1,0,0 32",
          new="m"),
    calls("open_tree_attr", f"{OPEN_TREE_ATTR} -100 s:/proc 1 w:2,0,0,0 32",
          since=(6, 15)),
    calls("listmount", f"{LISTMOUNT} i:24,0,0xffffffff,0xffffffff z: 10 0",
          since=(6, 8)),
    calls("statmount", f"{STATMOUNT} i:24,0,0xfffffff0,7 z: 4096 0", host=ENOENT,
          since=(6, 8)),
)
def test_no_mount_by_descriptor(sandbox, attack):
    attack.check(sandbox)


def test_the_new_interface_s_probe_can_mount():
    """The control of the calls above, in one piece."""
    assert on_host(
        "calls", "fsopen s:tmpfs 0", f"fsconfig $0 {FSCONFIG_SET_STRING} "
        "s:size s:4096 0", f"fsconfig $0 {FSCONFIG_CMD_CREATE} 0 0 0",
        "fsmount $0 0 0",
        f"move_mount $3 s: -100 s:/tmp {MOVE_MOUNT_F_EMPTY_PATH}",
        new="m") == {"done": 5, "errno": 0}


@pytest.fixture(scope="module")
def mounts(work_directory):
    """{profile: mountinfo}, proc_pid_mountinfo(5), of sandboxes of a paddockd
    all of whose own mounts are shared, where root may start one so."""
    directory = tempfile.mkdtemp(dir=work_directory)
    os.chmod(directory, 0o755)
    server = Server(
        directory, {"workers": {"count": 1}, "sandbox": {"profiles": [
            {"name": "full", "weakenings": ["full_proc"]}]}},
        wrapper=() if USER else [*UNSHARE, "shared"]).start()
    api = jobs.Api(server.channel)
    yield {profile: api.run("/bin/cat", "/proc/self/mountinfo",
                            profile=profile).stdout.data.decode().splitlines()
           for profile in ("default", "full")}
    assert server.stop() == 0


# For a control in a namespace of its own.
UNSHARE = ["unshare", "-m", "--propagation"]


def optional_fields(line):
    return {field.split(":")[0] for field in line.split(" - ")[0].split()[6:]}


@pytest.mark.parametrize("profile", ["default", "full"])
def test_no_mount_reaches_another_namespace(mounts, profile):
    look = "cat /proc/self/mountinfo; true"
    for kind, script in (
            ("shared", look),
            ("master", f"unshare -m --propagation slave {look}")):
        control = host_output(*UNSHARE, "shared", "sh", "-c", script)
        for line in control.decode().splitlines():
            assert kind in optional_fields(line), line
    assert len(mounts[profile]) > 5
    for line in mounts[profile]:
        assert not optional_fields(line), line


def bounds_of(line):
    """The figures that a tmpfs tells of itself; none for its defaults."""
    options = line.split(" - ")[1].split()[2].split(",")
    return {name: int(figure.rstrip("k")) for name, equals, figure in (
        option.partition("=") for option in options)
        if name in ("size", "nr_inodes")}


@pytest.mark.parametrize("profile", ["default", "full"])
def test_every_tmpfs_is_bounded(mounts, profile):
    script = "mount -t tmpfs {} none /mnt; grep ' /mnt ' /proc/self/mountinfo"
    for options, bounds in (
            ("", {}), ("-o size=8k,nr_inodes=9", {"size": 8, "nr_inodes": 9})):
        control = host_output(*UNSHARE, "private", "sh", "-ec",
                              script.format(options)).decode()
        assert bounds_of(control) == bounds
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        of_host = {line.split()[2] for line in file}
    # The image may be on a tmpfs of the host.
    own = {line.split()[4]: bounds_of(line) for line in mounts[profile]
           if " - tmpfs " in line and line.split()[2] not in of_host}
    assert {"/work", "/tmp", "/dev/shm"} <= own.keys()
    for path, bounds in own.items():
        assert bounds.get("size") and bounds.get("nr_inodes"), path


# 4. Another root.

@attacks(
    calls("chroot", "chroot s:/tmp"),
    calls("chroot_here", "chroot s:."),
    calls("chroot_and_climb", "mkdir s:{tmp}/jail 493", "openat -100 s:/ 0",
          "chroot s:{tmp}/jail", "fchdir $1", "chdir s:../../..", "chroot s:.",
          refused=2),
    calls("pivot_root", "pivot_root s:/ s:/", host=EBUSY),
    calls("pivot_into_tmpfs", TMPFS, "chdir s:/tmp", "pivot_root s:. s:.",
          new="m", refused=0),
)
def test_no_other_root(sandbox, attack, tmp_path):
    attack.check(sandbox, dict(tmp=tmp_path), dict(tmp="/tmp"))


def test_above_the_root_is_the_root(sandbox):
    script = ("import os\n"
              "root = os.stat('/'); fd = os.open('/', os.O_RDONLY)\n"
              "os.fchdir(fd)\n"
              "for _ in range(40): os.chdir('..')\n"
              "print(os.path.samestat(root, os.stat('.')), os.getcwd())\n")
    assert sandbox.python(script).stdout.data == b"True /\n"
    assert host_output("/usr/bin/python3", "-c", script) == b"True /\n"


# 8. Devices.

S_IFCHR, S_IFBLK = 0o20666, 0o60666
MEM, KMSG, DISK, TUN, FUSE = 0x101, 0x10b, 0x800, 0xac8, 0xae5


@attacks(
    *(calls(f"{name}_in_{folder.strip('/').replace('/', '_')}",
            f"mknodat -100 s:{{dir}}/node {kind} {device}",
            # From Landlock; without that EPERM for want of a capability.
            inside=EACCES)
      for folder in ("/work", "/tmp", "/dev/shm")
      for name, kind, device in (
          ("mem", S_IFCHR, MEM), ("disk", S_IFBLK, DISK), ("tun", S_IFCHR, TUN),
          ("fuse", S_IFCHR, FUSE), ("kmsg", S_IFCHR, KMSG))),
)
def test_no_device_is_made(sandbox, attack, tmp_path, request):
    folder = "/" + request.node.callspec.id.split("_in_")[1].replace("_", "/")
    attack.check(sandbox, dict(dir=tmp_path), dict(dir=folder))


@attacks(
    calls("in_dev", f"mknod s:{{dev}}/node {S_IFCHR} {MEM}", inside=EROFS),
    calls("unlink", "mknod s:{tmp}/x 33188 0", "unlink s:{tmp}/x",
          "unlink s:{dev}/null", inside=EROFS),
    # The host's own device, bound, where mounts belong to paddockd's namespace.
    calls("chmod", "chmod s:{dev}/null 511",
          inside=EPERM if USER else EROFS),
    calls("rename", "rename s:{dev}/zero s:{dev}/null", inside=EROFS),
)
def test_dev_is_not_changed(sandbox, attack, tmp_path):
    for name in ("null", "zero"):
        (tmp_path / name).touch()
    attack.check(sandbox, dict(dev=tmp_path, tmp=tmp_path),
                 dict(dev="/dev", tmp="/tmp"))


ALWAYS = ["tty", "ptmx", "kmsg"]
BY_HOST = ["mem", "port", "fuse", "kvm", "net/tun", "loop-control", "vsock",
           "vda", "sda", "hwrng", "userfaultfd", "dri/card0", "console",
           "tty0", "pts/0", "pts/ptmx", "mqueue", "hugepages", "nvram",
           "cpu_dma_latency", "snapshot", "uinput", "vhost-net", "disk",
           "mapper/control", "btrfs-control", "log", "initctl", "shm/.."]


@attacks(*(calls(name.replace("/", "_"), f"faccessat -100 s:/dev/{name} 0",
                 inside=0 if name == "shm/.." else ENOENT,
                 host=0 if name in ALWAYS else answer_to_access(f"/dev/{name}"))
           for name in ALWAYS + BY_HOST))
def test_dev_has_no_other_device(sandbox, attack):
    attack.check(sandbox)


@attacks(
    calls("add_entropy", "openat -100 s:/dev/random 0",
          "ioctl $0 0x40085203 i:8,4,0"),
    calls("count_entropy", "openat -100 s:/dev/urandom 2",
          "ioctl $0 0x40045201 i:0"),
    calls("clear_pool", "openat -100 s:/dev/urandom 0", "ioctl $0 0x5206 0"),
    calls("reseed", "openat -100 s:/dev/urandom 0", "ioctl $0 0x5207 0"),
)
def test_the_random_devices_take_no_orders(sandbox, attack):
    attack.check(sandbox)


# 9. Handles, which name files of the whole file system under a mount.

@pytest.fixture
def file_in_memory():
    """A file whose file system has handles, whatever the host's root is on."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        yield file.name


@attacks(
    calls("handle_of", "name_to_handle_at -100 s:{file} i:128 z: 0"),
    # AT_HANDLE_FID, Linux 6.5: needs no support for decoding.
    calls("fid_of", "name_to_handle_at -100 s:{file} i:128 z: 0x200",
          since=(6, 5), absent=EINVAL),
    # The root directory of ext4 is inode 2: the "Shocker" exploit. The control
    # is on a file system that has no such number.
    calls("guessed", "openat -100 s:{dir} 0", "open_by_handle_at $0 i:8,1,2,0 0",
          host=ESTALE),
)
def test_no_handle(sandbox, attack, file_in_memory):
    attack.check(sandbox, dict(dir="/dev/shm", file=file_in_memory),
                 dict(dir="/usr", file="/usr/bin/env"))


def test_the_handle_s_probe_opens_a_file(file_in_memory):
    assert on_host(
        "calls", "openat -100 s:/dev/shm 0",
        f"name_to_handle_at -100 s:{file_in_memory} i:128 z: 0",
        "open_by_handle_at $0 @2 0")["errno"] == 0


# 10. Control groups.

@attacks(
    calls("mount_v1", "mount s:none s:/tmp s:cgroup 0 s:none,name=escape",
          new="m"),
    calls("mount_v2", "mount s:none s:/tmp s:cgroup2 0 0", new="m"),
    # CLONE_INTO_CGROUP, with flags behind a pointer.
    calls("clone_into", "clone3 w:0x200000000,0,0,0,17,0,0,0,0,0,0 88",
          inside=ENOSYS, host=EBADF),
    calls("move_into", "openat -100 s:{members} 1", inside=ENOENT),
    calls("cgroupfs", "openat -100 s:/sys/fs/cgroup 0", inside=ENOENT),
    calls("of_init", "openat -100 s:/proc/{pid}/cgroup 0", inside=ENOENT),
)
def test_no_control_group(sandbox, attack, sleeper):
    root = "/sys/fs/cgroup"
    members, *_ = [*glob.glob(f"{root}/cgroup.procs"),
                   *glob.glob(f"{root}/*/cgroup.procs")]
    attack.check(sandbox, dict(pid=sleeper, members=members),
                 dict(pid=1, members=members))


def test_its_own_control_group_is_the_root_of_all(sandbox, server):
    call = sandbox.api.start(jobs.make_process("/bin/sleep", "2"))
    wait_until(lambda: program_of(server), 20)
    with open(f"/proc/{program_of(server)}/cgroup", encoding="ascii") as file:
        outside = file.read().splitlines()  # the control
    assert call.result().result.outcome == jobs.SUCCEEDED
    assert any(line.split(":", 2)[2] != "/" for line in outside)
    lines = sandbox.shell("cat /proc/self/cgroup").stdout.data.decode()
    assert len(lines.splitlines()) == len(outside)
    for line in lines.splitlines():
        assert line.split(":", 2)[2] == "/", line


# By descriptors, as whoever has every capability in the user namespace of a
# process; without exec, which would take them away.
_REMOUNT_WRITABLE = f"""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
namespaces = [os.open(f"/proc/{{sys.argv[1]}}/ns/{{kind}}", os.O_RDONLY)
              for kind in ("user", "mnt")]
done = (all(libc.setns(namespace, 0) == 0 for namespace in namespaces)
        and libc.mount(None, b"/usr", None, {MS_REMOUNT | MS_BIND | NO_SUID_DEV},
                       None) == 0)
print(0 if done else ctypes.get_errno())
"""


def _remount_writable(pid):
    done = subprocess.run(
        [sys.executable, "-c", _REMOUNT_WRITABLE, str(pid)],
        stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout)


def test_its_mounts_are_locked(sandbox, server):
    """Even for root of its own user namespace. Where the mounts were made in one
    of paddockd's own, that takes a mount namespace more."""
    call = sandbox.api.start(jobs.make_process("/bin/sleep", "3"))
    wait_until(lambda: program_of(server), 20)
    program = program_of(server)
    init = int(status_of(program)["PPid"])
    own = os.readlink(f"/proc/{program}/ns/mnt") != os.readlink(
        f"/proc/{init}/ns/mnt")
    assert own == (USER is not None)
    assert _remount_writable(program) == EPERM
    if own:
        assert _remount_writable(init) == 0, "the control"
    assert call.result().result.outcome == jobs.SUCCEEDED


def _types_of(mountinfo):
    return {line.split(" - ")[1].split()[0]
            for line in mountinfo.decode().splitlines()}


@pytest.mark.parametrize("kind", ["cgroup", "cgroup2", "sysfs", "devpts",
                                  "mqueue", "hugetlbfs", "securityfs",
                                  "debugfs", "tracefs", "bpf"])
def test_no_file_system_of_the_kernel_is_mounted(sandbox, kind):
    with open("/proc/filesystems", encoding="ascii") as file:
        known = kind in file.read().split()
    # A name does for a hierarchy of cgroups without a controller.
    options = "none,name=escape" if kind == "cgroup" else "rw"
    control = host_output(
        "unshare", "-m", "sh", "-c", f"umount -a -t {kind};"
        f"mount -t {kind} -o {options} none /mnt; cat /proc/self/mountinfo")
    assert (kind in _types_of(control)) == known
    inside = _types_of(sandbox.shell("cat /proc/self/mountinfo").stdout.data)
    assert kind not in inside
    assert {"tmpfs", "proc"} < inside
