"""paddockd in a container without --privileged: deploy/CONTAINERS.md.

By crun and runc; test_container_needs.py has podman too, and every need.
"""

import pytest

from harness import container_checks
from harness.container_checks import without
from harness.container_checks import containers  # noqa: F401


def test_without_an_added_capability_all_layers_stand():
    container_checks.assert_runs_jobs("crun", without())


@pytest.mark.parametrize("runtime", ["crun", "runc"])
@pytest.mark.parametrize("needs, words", [
    (without(proc_unmasked=False),
     ["mount_proc", "parts of /proc are masked", "unmask=ALL"]),
    (without(cgroup_writable=False),
     ["/sys/fs/cgroup is mounted read-only", "container"]),
    (without(capabilities=("CAP_SETUID", "CAP_SETGID")),
     ["without CAP_CHOWN", "CAP_SYS_ADMIN", "lacks CAP_SETFCAP"]),
    (without(refused_calls=("pivot_root",)),
     ["pivot_root", "seccomp filter", "linux.seccomp"]),
], ids=["proc", "cgroup", "capability", "seccomp"])
def test_what_is_missing_is_named_at_start(runtime, needs, words):
    container_checks.assert_refused(runtime, needs, words)
