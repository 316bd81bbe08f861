"""Filesystem: attacks 1 to 10 of README.md."""

from errno import EACCES, EPERM, EROFS  # noqa: F401

from attack import attacks
from attack import calls


# 3. Mounts of every kind, by both interfaces.

MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC = 0x20, 0x1000, 0x2000, 0x4000
MS_SHARED = 1 << 20
OPEN_TREE_CLONE, AT_RECURSIVE, AT_EMPTY_PATH = 1, 0x8000, 0x1000


@attacks(
    calls("tmpfs", "mount s:none s:/tmp s:tmpfs 0 0", new="m"),
    calls("proc", "mount s:none s:/tmp s:proc 0 0", new="m"),
    calls("bind", f"mount s:/usr s:/tmp 0 {MS_BIND | MS_REC} 0", new="m"),
)
def test_no_mount(sandbox, attack):
    attack.check(sandbox)
