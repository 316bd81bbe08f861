"""Controls of the lint tests: each must find what it is there to find."""

import os
import subprocess

import pytest

import dependencies
import text


@pytest.mark.parametrize("path, line", [
    ("worker/init/a.cc", '#include "absl/status/status.h"'),
    ("worker/init/a.cc", '#include "worker/base/unique_fd.h"'),
    ("worker/base/a.h", '#include "worker/wire/channel.h"'),
    ("worker/policy/a.cc", '#include "worker/sandbox/sandbox.h"'),
    ("worker/policy/a.cc", '#include "worker/wire/channel.h"'),
    ("worker/sandbox/a.cc", '#include "worker/policy/seccomp_policy.h"'),
    ("server/jobs/a.cc", '#include "worker/policy/filter.h"'),
    ("server/scheduling/a.cc", '#include "server/jobs/engine.h"'),
    ("server/jobs/a.cc", "#include <grpcpp/grpcpp.h>"),
    ("client/a.cc", '#include "worker/base/unique_fd.h"'),
    ("server/unknown/a.cc", "#include <vector>"),
    ("server/api/a.cc", '#include "service.h"'),
])
def test_an_include_against_the_table_is_found(path, line):
    assert dependencies.check_includes(path, f"{line}\n")


@pytest.mark.parametrize("path, line", [
    ("worker/init/a.cc", "#include <sys/mount.h>"),
    ("worker/init/a.cc", '#include "worker/init/plan.h"'),
    ("worker/main.cc", '#include "worker/sandbox/sandbox.h"'),
    ("server/api/a.cc", '#include "server/jobs/engine.h"'),
    ("server/api/a.cc", "#include <grpcpp/grpcpp.h>"),
    ("client/a.cc", '#include "paddock/v1/job.pb.h"'),
])
def test_an_include_of_the_table_is_not_found(path, line):
    assert not dependencies.check_includes(path, f"{line}\n")


def test_a_link_against_the_table_is_found():
    cmake = "paddock_library(server_jobs\n  SOURCES a.cc\n  DEPS {})\n"
    path = "server/jobs/CMakeLists.txt"
    assert dependencies.check_links(path, cmake.format("worker_sandbox"))
    assert not dependencies.check_links(path, cmake.format("worker_wire"))


@pytest.mark.parametrize("line", [
    "// TO" "DO: later", "path = '/wo" "rk/main/x'", "/ho" "me/somebody/x",
    "trailing ", "\ttab",
])
def test_bad_text_is_found(line):
    errors, _ = text.check("server/a.cc", f"{line}\n")
    assert len(errors) == 1


def test_what_a_fuzz_target_found_is_not_read_as_text():
    assert not text.is_text("tests/fuzz/regressions/config/stray-comma")
    assert text.is_text("tests/fuzz/config_fuzz.cc")


def test_length_is_a_warning_and_then_an_error():
    good, longer, too_long = ("x\n" * n for n in (400, 401, 501))
    assert text.check("a.cc", good) == ([], [])
    assert text.check("a.cc", longer)[1]
    assert text.check("a.cc", too_long)[0]


def _archive(tmp_path, code):
    source, output = tmp_path / "a.cc", tmp_path / "a.o"
    source.write_text(code)
    subprocess.run(["g++", "-O2", "-c", source, "-o", output], check=True)
    script = os.path.join(os.path.dirname(__file__), "init_symbols_test.sh")
    return subprocess.run([script, output], capture_output=True, text=True)


def test_an_unsafe_call_in_init_is_found(tmp_path):
    code = "#include <cstdlib>\nvoid* F() { return malloc(9); }\n"
    result = _archive(tmp_path, code)
    assert result.returncode == 1
    assert "malloc" in result.stdout


def test_a_safe_call_in_init_is_allowed(tmp_path):
    code = "#include <unistd.h>\nvoid F() { _exit(1); }\n"
    assert _archive(tmp_path, code).returncode == 0
