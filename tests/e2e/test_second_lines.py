"""Controllers of the host that bound all sandboxes once more."""

import os


def controllers_of(pid):
    with open(f"/proc/{pid}/cgroup", encoding="ascii") as file:
        lines = [line.strip().split(":", 2) for line in file]
    return {name: path for _, names, path in lines
            for name in names.split(",")}


def test_sandboxes_are_in_the_second_lines_of_the_host(server, api):
    """On v1 the worker sits in them, and what it clones is born there."""
    layers = {layer.layer: layer.mechanism for layer in api.info().layers}
    workers = [pid for pid in os.listdir("/proc") if pid.isdigit()
               and parent_and_name(pid) == (server.pid, "paddock-worker")]
    assert len(workers) == 2
    for controller, layer, mechanism in (
            ("devices", "devices", "cgroup v1 devices"),
            ("hugetlb", "huge_pages", "cgroup hugetlb 0")):
        for pid in workers:
            path = controllers_of(pid).get(controller)
            if path is not None:  # the host has it on v1
                assert "/paddock-" in path, path
                assert mechanism in layers[layer]


def parent_and_name(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file
                          if ":\t" in line)
    except OSError:
        return None  # it ended meanwhile
    return int(fields["PPid"]), fields["Name"]
