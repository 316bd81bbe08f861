"""What the host has and what it may be without: tests/support/skip.h."""

import contextlib
import os
import subprocess

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
def swap(mib):
    """Gives the host so much to swap to, in compressed memory."""
    need_own_machine()
    subprocess.run(["modprobe", "zram", "num_devices=1"], check=True)
    with open("/sys/block/zram0/disksize", "w", encoding="ascii") as file:
        file.write(f"{mib}M")
    for command in ("mkswap", "swapon"):
        subprocess.run([command, "/dev/zram0"], check=True,
                       stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        subprocess.run(["swapoff", "/dev/zram0"], check=True)
        subprocess.run(["modprobe", "-r", "zram"], check=True)


def need_own_machine():
    """For tests that change what all of the host shares, for a moment."""
    _need("own_machine", "VM_ACCELERATOR" in os.environ)
