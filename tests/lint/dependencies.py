"""Holds the layers: which folder may include and link what.

The table is the one of README.md's design section. Tests may use anything.
"""

import dataclasses
import re
import sys

import repository

# Include prefixes of libraries that are not ours, and the name used below.
_THIRD_PARTY = {
    "absl/": "absl",
    "google/protobuf/": "protobuf",
    "grpc/": "grpc",
    "grpcpp/": "grpc",
    "google/rpc/": "proto",
    "paddock/": "proto",  # generated from proto/
    "prometheus/": "prometheus",
    "CivetServer.h": "civetweb",
    "civetweb.h": "civetweb",
    "yaml-cpp/": "yaml-cpp",
    "spdlog/": "spdlog",
    "fmt/": "spdlog",
    "CLI/": "cli11",
    "seccomp.h": "seccomp",
    "sqlite3.h": "sqlite",
    "openssl/": "openssl",
}
_LINKED = {
    "proto_messages": "proto",
    "proto_services": "proto",
    "gRPC::grpc++": "grpc",
    "PkgConfig::SECCOMP": "seccomp",
    "protobuf::libprotobuf": "protobuf",
}
_PROTO = {"proto", "protobuf"}
_SERVER = _PROTO | {"absl", "spdlog", "worker/base", "worker/wire",
                    "server/config"}

# Folder -> what it may use beside itself and libc. A folder that is not here
# is an error: a new one has to say what it stands on.
ALLOWED = {
    "worker/base": {"absl"},
    "worker/init": set(),
    "worker/wire": _PROTO | {"absl", "worker/base"},
    "worker/policy": {"absl", "seccomp", "worker/base"},
    "worker/sandbox": {"absl", "worker/base", "worker/init"},
    "worker": {"absl", "spdlog", "cli11", "worker/base", "worker/wire",
               "worker/policy", "worker/init", "worker/sandbox"} | _PROTO,
    "server/config": _PROTO | {"absl", "cli11", "yaml-cpp", "worker/base",
                               "worker/wire"},
    "server/supervisor": _SERVER | {"seccomp", "server/telemetry"},
    "server/telemetry": _SERVER | {"prometheus", "civetweb"},
    "server/storage": _SERVER | {"sqlite", "openssl", "server/telemetry"},
    "server/scheduling": _SERVER | {"server/telemetry"},
    "server/jobs": _SERVER | {"sqlite", "server/scheduling", "server/storage",
                              "server/telemetry"},
    "server/api": _SERVER | {"grpc", "server/jobs", "server/scheduling",
                             "server/storage", "server/telemetry"},
    "server": _SERVER | {"grpc", "cli11", "seccomp", "prometheus", "civetweb",
                         "server/api", "server/jobs", "server/scheduling",
                         "server/storage", "server/supervisor",
                         "server/telemetry"},
    "client": _PROTO | {"absl", "grpc", "spdlog", "cli11"},
}
_OURS = ("worker/", "server/", "client/", "tests/")
_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
_LIBRARY = re.compile(r"paddock_library\((\w+)([^)]*)\)")


@dataclasses.dataclass(frozen=True)
class Problem:
    path: str
    text: str


def folder_of(path):
    """The folder whose row of ALLOWED speaks for `path`, or None."""
    parts = path.split("/")[:-1]
    for length in range(len(parts), 0, -1):
        name = "/".join(parts[:length])
        if name in ALLOWED:
            # server/new/ must not hide behind the row of server/.
            return name if length == len(parts) or length > 1 or (
                name == "client") else None
    return None


def what_is_included(header):
    """Our folder or the library that `header` belongs to; None for libc."""
    for prefix, library in _THIRD_PARTY.items():
        if header.startswith(prefix):
            return library
    if header.startswith(_OURS):
        return folder_of(header) or header
    return None


def check_includes(path, text):
    folder = folder_of(path)
    if folder is None:
        return [Problem(path, "its folder has no row in ALLOWED")]
    problems = []
    for quote, header in _INCLUDE.findall(text):
        used = what_is_included(header)
        if used is None:
            if quote == '"':
                problems.append(Problem(
                    path, f'"{header}" is not a path from the top'))
        elif used != folder and used not in ALLOWED[folder]:
            problems.append(Problem(
                path, f"{folder} may not include {header}"))
    return problems


def check_links(path, text):
    """`text` is a CMakeLists.txt."""
    problems = []
    names = {folder.replace("/", "_"): folder for folder in ALLOWED}
    for library, arguments in _LIBRARY.findall(text):
        folder = folder_of(path)
        if folder is None:
            problems.append(Problem(path, "its folder has no row in ALLOWED"))
            continue
        dependencies = arguments.partition("DEPS")[2].split()
        for dependency in dependencies:
            used = names.get(dependency) or _LINKED.get(dependency)
            if dependency.startswith("absl::"):
                used = "absl"
            if used and used != folder and used not in ALLOWED[folder]:
                problems.append(Problem(
                    path, f"{library} may not link {dependency}"))
    return problems


def main():
    problems = []
    checked = 0
    for path in repository.files(".cc", ".h"):
        if path.startswith(("worker/", "server/", "client/")):
            checked += 1
            problems += check_includes(path, repository.read(path))
    for path in repository.files("CMakeLists.txt"):
        if path.startswith(("worker/", "server/", "client/")):
            problems += check_links(path, repository.read(path))
    for problem in problems:
        print(f"{problem.path}: {problem.text}")
    print(f"{checked} files, {len(problems)} problems")
    return 1 if problems or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
