"""AppArmor profiles for tests, in machines of their own."""

import contextlib
import subprocess

from harness import host

_ALL_BUT_MOUNTS = ("network, file, signal, ptrace, unix, dbus, umount, "
                   "pivot_root,")
ALL_BUT_CAPABILITIES = f"{_ALL_BUT_MOUNTS} mount,"
ALL = f"capability, {ALL_BUT_CAPABILITIES}"
# Those of Docker and podman forbid mounts too.
AS_OF_CONTAINERS = f"capability, {_ALL_BUT_MOUNTS} deny mount fstype=proc,"


@contextlib.contextmanager
def profile(rules):
    """The name of one with these."""
    host.show_apparmor()
    name = "paddock-tests"
    text = (f"abi <abi/3.0>,\nprofile {name} flags=(attach_disconnected) "
            f"{{ {rules} }}\n")
    for option in ("--replace", "--remove"):
        subprocess.run(["apparmor_parser", option, "--skip-cache"],
                       input=text, text=True, check=True)
        if option == "--replace":
            yield name


def under(name):
    """What runs a command under the profile `name`."""
    return ["aa-exec", "-p", name, "--"]
