"""Privilege: attacks 17 to 20 of README.md."""

from errno import EACCES, EINVAL, EOPNOTSUPP, EPERM
import json
import os
import shutil
import tempfile

import pytest

from attack import ONE_ID
from attack import Sandbox
from attack import attacks
from attack import calls
from attack import host_output
from attack import on_host
from attack import program_of
from harness import jobs
from harness import paths
from harness.server import wait_until

# Of an id of somebody else: one that is not mapped is no id at all.
OTHER_ID = EINVAL if ONE_ID else EPERM
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def fields_of(status):
    return dict(line.split(":\t", 1) for line in status.decode().splitlines()
                if ":\t" in line)


# 17. Capabilities, and ways to have them again.

def test_no_capability_is_in_any_set(sandbox):
    inside = fields_of(sandbox.run("/bin/cat", "/proc/self/status")
                       .stdout.data)
    control = fields_of(host_output("/bin/cat", "/proc/self/status"))
    for name in SETS:
        assert int(inside[name], 16) == 0, name
    assert int(control["CapEff"], 16) and int(control["CapBnd"], 16)
    assert inside["NoNewPrivs"] == "1"
    assert inside["Seccomp"] == "2"


# capabilities(7): no root, no fix-up of set*id, no ambient sets, each with its
# lock, and the lock of keep_caps.
SECURE_BITS = 0b11101111


def test_what_a_user_s_id_gives_is_locked(sandbox):
    line = ("setpriv", "--securebits=+noroot,+noroot_locked", paths.PROBE,
            "secure-bits")
    assert json.loads(host_output(*line)) == {"done": 0b11, "errno": 0}
    assert on_host("secure-bits") != {"done": SECURE_BITS, "errno": 0}
    assert sandbox.report("secure-bits") == {"done": SECURE_BITS, "errno": 0}


@attacks(
    calls("capset", "capset i:0x20080522,0 i:1,1,0"),
    calls("inheritable", "capset i:0x20080522,0 i:0,0,1"),
    calls("ambient", "capset i:0x20080522,0 i:1,1,1", "prctl 47 2 0 0 0",
          refused=0),
    calls("keep", "prctl 8 1 0 0 0"),
    calls("secure_bits", "prctl 28 0 0 0 0"),
    *(calls(line.replace(" ", "_"), line, inside=OTHER_ID) for line in (
        "setuid 0", "setgid 0", "setreuid 0 0", "setregid 0 0",
        "setresuid 0 0 0", "setresgid 0 0 0", "setresuid -1 0 -1",
        "setuid 1001", "setgid 1001")),
    calls("setgroups", "setgroups 0 0"),
    calls("setgroups_root", "setgroups 1 i:0"),
    calls("set_unmapped", "setuid 70000", inside=EINVAL),
    # "0 0 1"; the host's probe makes a namespace whose map is to be written.
    calls("uid_map", "{first}", "openat -100 s:/proc/self/uid_map 1",
          "write $1 w:0x3120302030 5"),
    calls("setgroups_file", "{first}", "openat -100 s:/proc/self/setgroups 1",
          "write $1 s:deny 4", inside=EACCES, refused=1),
    calls("give_to_root", "openat -100 s:{tmp}/f 0x41 448", "fchown $0 0 0",
          inside=OTHER_ID),
    calls("give_to_other", "openat -100 s:{tmp}/f 0x41 448",
          "fchown $0 1001 1001", inside=OTHER_ID),
    calls("file_capability", "openat -100 s:{tmp}/f 0x41 448",
          "fsetxattr $0 s:security.capability i:0x2000001,0x2000,0,0,0 20 0",
          inside=EOPNOTSUPP),
    calls("trusted_attribute", "openat -100 s:{tmp}/f 0x41 448",
          "fsetxattr $0 s:trusted.overlay.opaque s:y 1 0",
          inside=EOPNOTSUPP),
)
def test_no_privilege_is_gained(sandbox, attack, tmp_path):
    attack.check(sandbox, dict(tmp=tmp_path, first="unshare 0x10000000"),
                 dict(tmp="/work", first="getpid"))


# 18. Set-id and capable programs.

@pytest.fixture(scope="module")
def set_id_folder(work_directory):
    """Where set-id programs work, for the controls."""
    parent, *_ = [folder for folder in (work_directory, paths.BUILD)
                  if not os.statvfs(folder).f_flag & os.ST_NOSUID]
    folder = tempfile.mkdtemp(dir=parent, prefix="privileged-")
    os.chmod(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


def give(program, user, mode, **place):
    """Makes a program another user's; in this order, chown(2)."""
    os.chown(program, user, user, **place)
    os.chmod(program, mode, **place)


@pytest.mark.parametrize("mode, question", [
    (0o4755, "user"), (0o2755, "group"), (0o6755, "user"), (0o6755, "group")])
def test_an_own_set_id_program_gives_nothing(
        sandbox, server, set_id_folder, mode, question):
    """The program can make it its own user's only, which would give nothing
    anyhow: here the host's root makes it another's, the next in its map."""
    process = jobs.probe(limits=dict(wall_time=20))
    process.argv[:] = [
        "/bin/sh", "-c", "sleep 1000 & cp /tmp/probe new; mv new own;"
        "until [ -u own ] || [ -g own ]; do /bin/true; done;"
        f"exec ./own {question}"]
    call = sandbox.api.start(process)
    wait_until(lambda: program_of(server), 20)
    work = os.open(f"/proc/{program_of(server)}/root/work", os.O_DIRECTORY)
    try:
        wait_until(lambda: "own" in os.listdir(work), 20)
        user = os.stat("own", dir_fd=work).st_uid
        give("own", user + 1, mode, dir_fd=work)
    finally:
        os.close(work)
    control = os.path.join(set_id_folder, "own")
    shutil.copy(paths.PROBE, control)
    give(control, user + 1, mode)
    assert json.loads(host_output(
        "setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
        control, question)) == {"done": user + 1, "errno": 0}
    result = call.result().result.process
    assert jobs.probe_report(result) == {"done": 1000, "errno": 0}


@pytest.fixture(scope="module")
def privileged_image(set_id_folder):
    """A root file system with programs that make others root."""
    image = os.path.join(set_id_folder, "image")
    os.makedirs(os.path.join(image, "bin"))
    for name, mode in (("set-uid", 0o4755), ("set-gid", 0o2755),
                       ("capable", 0o755)):
        program = os.path.join(image, "bin", name)
        shutil.copy(paths.PROBE, program)
        os.chmod(program, mode)
    # capabilities(7), VFS_CAP_REVISION_2 and effective: CAP_NET_RAW.
    os.setxattr(os.path.join(image, "bin", "capable"), "security.capability",
                b"".join(word.to_bytes(4, "little")
                         for word in (0x2000001, 0x2000, 0, 0, 0)))
    return image


@pytest.mark.parametrize("program, question, gained, ordinary", [
    ("set-uid", "user", 0, 1000), ("set-gid", "group", 0, 1000),
    ("capable", "capabilities", 1, 0)])
def test_a_privileged_program_of_the_image_gives_nothing(
        start_server, privileged_image, program, question, gained, ordinary):
    control = host_output(
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        os.path.join(privileged_image, "bin", program), question)
    assert json.loads(control)["done"] == gained
    server = start_server({"workers": {"count": 1}, "sandbox": {"images": [
        {"name": "host", "host": {}},
        {"name": "privileged", "directory": privileged_image}]}})
    sandbox = Sandbox(jobs.Api(server.channel))
    result = sandbox.run(f"/bin/{program}", question, image="privileged")
    assert jobs.probe_report(result) == {"done": ordinary, "errno": 0}


def test_no_new_privs_stays(sandbox):
    line = "prctl 38 0 0 0 0"
    assert on_host("calls", line)["errno"] == EINVAL
    assert sandbox.report("calls", line)["errno"] == EINVAL
    # And is passed on, also to what is run from memory.
    script = "import os\n" \
             "fd = os.memfd_create('x')\n" \
             "with open('/usr/bin/cat', 'rb') as f: os.write(fd, f.read())\n" \
             "os.execv(f'/proc/self/fd/{fd}', ['cat', '/proc/self/status'])\n"
    inside = fields_of(sandbox.python(script).stdout.data)
    assert (inside["NoNewPrivs"], inside["Seccomp"]) == ("1", "2")
    assert fields_of(host_output("/usr/bin/python3", "-c", script))[
        "NoNewPrivs"] == "0"


# 19. Users and groups.

def test_ids_are_those_of_nobody_else(sandbox):
    command = ("/bin/cat", "/proc/self/status")
    host = fields_of(host_output("setpriv", "--groups=1,2", *command))
    assert host["Uid"].split() == host["Gid"].split() == ["0"] * 4
    assert host["Groups"].split() == ["1", "2"]
    inside = fields_of(sandbox.run(*command).stdout.data)
    assert inside["Uid"].split() == ["1000"] * 4
    assert inside["Gid"].split() == ["1000"] * 4
    assert not inside["Groups"].strip()


@pytest.mark.parametrize("kind", ["uid", "gid"])
def test_host_root_is_in_no_map(sandbox, kind):
    path = f"/proc/self/{kind}_map"
    first, second = ([int(word) for word in sandbox.run("/bin/cat", path)
                      .stdout.data.split()] for _ in range(2))
    for inner, outer, count in (first, second):
        assert inner == 0 and outer >= 1 << 16 and count == 1 << 16
    assert first[1] != second[1], "two sandboxes in a row share ids"
    assert host_output("/bin/cat", path).split()[:2] == [b"0", b"0"]


# 20. The environment.

def test_the_environment_is_what_was_asked_for(start_server):
    server = start_server({"workers": {"count": 1}},
                          environment={**os.environ, "HOST_SECRET": "canary"})
    sandbox = Sandbox(jobs.Api(server.channel))
    with open(f"/proc/{server.pid}/environ", "rb") as file:
        assert b"HOST_SECRET=canary" in file.read()  # control
    result = sandbox.run("/bin/cat", "/proc/self/environ", env={"MINE": "1"})
    assert set(result.stdout.data.rstrip(b"\0").split(b"\0")) == {
        b"HOME=/work", b"LANG=C.UTF-8", b"MINE=1",
        b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    script = "cat /proc/1/environ /proc/*/environ /proc/*/cmdline 2>/dev/null"
    assert b"canary" not in sandbox.shell(script).stdout.data
