"""README.md's table of what enforces each limit and layer on each kind of host.

    support_matrix.py collect         prints what paddockd says of itself here,
                                      as JSON: every kind that this host can be
    support_matrix.py write FILE...   puts such outputs into README.md

As root. The table is made from runs alone: on a hybrid host, and by
tests/vm/boot on one with cgroup v2; those under systemd prints
tests/vm/test_systemd.py. What is not collected again stays.
"""

import itertools
import json
import os
import re
import sys
import tempfile
import types

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from harness import paths  # noqa: E402

sys.path.insert(0, paths.STUBS)

from paddock.v1 import enforcement_pb2  # noqa: E402
from paddock.v1 import result_pb2  # noqa: E402

from harness import jobs  # noqa: E402
from harness import own_cgroup  # noqa: E402
from harness.container import Container  # noqa: E402
from harness.container import Needs  # noqa: E402
from harness.container import OF_THE_HOST  # noqa: E402
from harness import engines  # noqa: E402
from harness.engine_container import EngineContainer  # noqa: E402
from harness.server import Server  # noqa: E402

README = os.path.join(paths.ROOT, "README.md")
_BEGIN, _END = "<!-- support matrix: begin -->\n", "<!-- support matrix: end -->"
_HEAD = ("| limit or layer | enforced by | on |\n"
         "| --- | --- | --- |\n")
# What README.md calls them, in its order.
HYBRID = "RH"
_CONTAINERS = {"CN": Needs(),
               "CH": Needs(capabilities=OF_THE_HOST, proc_unmasked=False)}
# A container with a user namespace of its own, by podman.
PODMAN_MAP = ["--uidmap=0:100000:65536", "--gidmap=0:100000:65536"]
UNCONFINED = "--security-opt=apparmor=unconfined"
_IN_USER_NAMESPACE = [*PODMAN_MAP, UNCONFINED, "--cap-add=SYS_ADMIN,NET_ADMIN",
                      "--security-opt=unmask=/sys/fs/cgroup"]
_USERS = {"R2": None, "UR": "range", "U1": "single"}
# The units of deploy/systemd: that of the system, that of a user with one id.
UNITS = ["SR", "SU"]
KINDS = ["R2", HYBRID, "UR", "U1", *UNITS, *_CONTAINERS, "CU"]


def kinds_of_this_host():
    return ([kind for kind in KINDS if kind not in (HYBRID, *UNITS)]
            if own_cgroup.unified_only() else [HYBRID])


def _cell(row):
    """Versions and sizes of hosts aside."""
    if row.state == enforcement_pb2.ENFORCEMENT_STATE_NONE:
        return "nothing"
    mechanism = re.sub(r",? ?ABI \d+$", "", row.mechanism) or "landlock"
    mechanism = re.sub(r"(max_user_watches) \d+(, for [^:]*).*", r"\1\2",
                       mechanism)
    if row.state == enforcement_pb2.ENFORCEMENT_STATE_DEGRADED:
        return f"degraded: {mechanism}"
    return mechanism


def cells(channel):
    info = jobs.Api(channel).info()
    found = {result_pb2.LimitKind.Name(row.limit).removeprefix("LIMIT_KIND_")
             .lower(): _cell(row) for row in info.limits}
    found.update({f"*{row.layer}*": _cell(row) for row in info.layers})
    return found


def cells_of_doctor(text):
    """The same, of what `paddock doctor` printed."""
    limits, layers = (
        part.partition("\n")[2].partition("\n\n")[0].splitlines()
        for part in re.split(r"^(?:LIMIT|LAYER) .*", text, flags=re.MULTILINE)[1:])
    rows = {}
    for line in limits:
        name, _, _, *state = re.split(" {2,}", line)
        if name != "cpus":  # a layer too
            rows[name.replace(" ", "_")] = state
    for line in layers:
        name, *state = re.split(" {2,}", line)
        rows[f"*{name}*"] = state
    return {name: _cell(types.SimpleNamespace(
        state=getattr(enforcement_pb2, f"ENFORCEMENT_STATE_{state}"),
        mechanism="".join(mechanism)))
            for name, (state, *mechanism) in rows.items()}


def collect(kind, directory):
    """{limit or *layer*: by what}, as a paddockd started so says."""
    if kind in _CONTAINERS:
        with Container("crun", _CONTAINERS[kind]).running() as container:
            return cells(container.channel)
    if kind == "CU":
        with engines.podman(engines.Podman) as podman, EngineContainer(
                podman, _IN_USER_NAMESPACE).running() as container:
            return cells(container.channel)
    place = tempfile.mkdtemp(dir=directory)
    os.chmod(place, 0o755)
    server = Server(place, user=_USERS.get(kind)).start()
    try:
        return cells(server.channel)
    finally:
        server.stop()


def render(matrix):
    """{kind: cells} as rows, those of a mechanism together."""
    text = _HEAD
    names = list(dict.fromkeys(itertools.chain.from_iterable(
        matrix[kind] for kind in KINDS if kind in matrix)))
    for name in names:
        kinds_by = {}
        for kind in KINDS:
            if kind in matrix:
                cell = matrix[kind].get(name, "nothing")
                kinds_by.setdefault(cell, []).append(kind)
        for cell, kinds in kinds_by.items():
            where = "all" if len(kinds) == len(KINDS) else ", ".join(kinds)
            text += f"| {name} | {cell} | {where} |\n"
    return text


def parse(text):
    """The reverse: what README.md says."""
    matrix = {}
    for line in text.partition(_BEGIN)[2].partition(_END)[0].splitlines()[2:]:
        name, cell, kinds = [word.strip() for word in line.strip("|").split("|")]
        for kind in KINDS if kinds == "all" else kinds.split(", "):
            matrix.setdefault(kind, {})[name] = cell
    return matrix


def _write(files):
    with open(README, encoding="utf-8") as file:
        text = file.read()
    matrix = parse(text)
    for name in files:
        with open(name, encoding="utf-8") as file:
            matrix.update(json.load(file))
    before, rest = text.split(_BEGIN)
    with open(README, "w", encoding="utf-8") as file:
        file.write(before + _BEGIN + render(matrix) + _END +
                   rest.partition(_END)[2])


def main():
    if sys.argv[1:2] == ["write"]:
        return _write(sys.argv[2:])
    with tempfile.TemporaryDirectory(prefix="paddock-") as directory:
        os.chmod(directory, 0o755)
        print(json.dumps({kind: collect(kind, directory)
                          for kind in kinds_of_this_host()}, indent=1))
    return None


if __name__ == "__main__":
    main()
