"""That a program's own user namespace has room for no other."""

_PROFILE = "proc"
_LIMIT = "/proc/sys/user/max_user_namespaces"
# What shows it. A /proc of processes only has no limits.
CONFIG = {"sandbox": {"profiles": [{"name": _PROFILE,
                                    "weakenings": ["full_proc"]}]}}


def assert_none(api):
    """Of a service with CONFIG: so it is, and so it says."""
    with open(_LIMIT, encoding="ascii") as file:
        assert int(file.read()) > 0, "the control: on the host there is"
    limit = api.run("/bin/cat", _LIMIT, profile=_PROFILE)
    assert limit.stdout.data == b"0\n"
    row, = (row for row in api.info().layers if row.layer == "namespaces")
    assert "user.max_user_namespaces 0 inside" in row.mechanism
