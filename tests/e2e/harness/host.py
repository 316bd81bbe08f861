"""What the host has and what it may be without: tests/support/skip.h."""

import contextlib
import os
import subprocess
import tempfile

import pytest

from harness import own_cgroup


def _need(feature, present):
    if present:
        return
    lacking = os.environ.get("SANDBOX_TESTS_LACK", "").split(",")
    if os.environ.get("SANDBOX_TESTS_MUST_RUN") == "1" and (
            feature not in lacking):
        pytest.fail(f"this host is without {feature}, "
                    "and SANDBOX_TESTS_MUST_RUN is set")
    pytest.skip(f"this host is without {feature}")


def kernel():
    """Its version: (major, minor)."""
    return tuple(map(int, os.uname().release.split(".")[:2]))


def need_unified_controllers():
    """For tests of what only cgroup v2 hosts can show."""
    _need("unified_controllers", own_cgroup.unified_only())


def need_v1_controllers():
    """For tests of hosts with cgroup v1 or both."""
    _need("v1_controllers", not own_cgroup.unified_only())


def show_apparmor():
    """The machines have none before; docker and podman then confine by it, as
    on every Debian and Ubuntu."""
    need_own_machine()
    subprocess.run(["mount", "-t", "securityfs", "none",
                    "/sys/kernel/security"], check=False,
                   stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def sysctl(name, value):
    """Sets it for the whole host, and back."""
    need_own_machine()
    path = "/proc/sys/" + name.replace(".", "/")
    with open(path, encoding="ascii") as file:
        before = file.read()
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))
    try:
        yield
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(before)


@contextlib.contextmanager
def _disk(mib):
    """A block device of so much compressed memory, for as long."""
    need_own_machine()
    subprocess.run(["modprobe", "zram", "num_devices=1"], check=True)
    try:
        with open("/sys/block/zram0/disksize", "w", encoding="ascii") as file:
            file.write(f"{mib}M")
        yield "/dev/zram0"
    finally:
        subprocess.run(["modprobe", "-r", "zram"], check=True)


@contextlib.contextmanager
def swap(mib):
    """Gives the host so much to swap to."""
    with _disk(mib) as disk:
        for command in ("mkswap", "swapon"):
            subprocess.run([command, disk], check=True,
                           stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            subprocess.run(["swapoff", disk], check=True)


@contextlib.contextmanager
def file_system(mib, fill):
    """A directory on a disk of its own, which `fill` has been called with, and
    nothing of which is in memory."""
    with _disk(mib) as disk, tempfile.TemporaryDirectory() as directory:
        subprocess.run(["mkfs.ext4", "-q", disk], check=True)
        for action in (fill, None):
            subprocess.run(["mount", disk, directory], check=True)
            try:
                if action:
                    action(directory)
                else:
                    yield directory
            finally:
                subprocess.run(["umount", directory], check=True)


def has_own_machine():
    return "VM_ACCELERATOR" in os.environ


def need_own_machine():
    """For tests that change what all of the host shares, for a moment."""
    _need("own_machine", has_own_machine())


def need_disk_below(path):
    """For tests of what is read from a disk, which the root of a container or
    of a machine of tests/vm is not."""
    device = os.stat(path).st_dev
    _need("disk", os.path.exists(
        f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"))
