"""Controls of the lint tests: each must find what it is there to find."""

import os
import subprocess

import pytest

import architecture
import attacks
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
    "#if defined(__x86_64__)", "#ifdef __aarch64__", "#ifdef __s390__",
    "call.arch == AUDIT_ARCH_X86_64", "x = SCMP_ARCH_X32;",
    "header.e_machine != EM_X86_64", "syscall(__NR_openat2, 0);",
    "syscall(435, &args);", "syscall( 435);", "#define SYS_clone3 435",
    "syscall(SYS_open, path);", "call.nr == SYS_fork",
    'asm volatile("int $0x80");', "__asm__(\"\");", "user_regs_struct regs;",
    "context->uc_mcontext.gregs[REG_RIP]", "#include <cpuid.h>",
    "#include <immintrin.h>", "#include <asm/unistd.h>",
    'if (machine == "x86_64") {', '"aarch64-linux-gnu"',
])
def test_what_ties_to_one_architecture_is_found(line):
    assert architecture.check("worker/sandbox/a.cc", f"{line}\n")


@pytest.mark.parametrize("line", [
    "syscall(SYS_clone3, &args, sizeof(args));", "call.nr == SYS_openat",
    "syscall(SYS_openat2, root);", "uint32_t architecture;  // AUDIT_ARCH_*",
    "// As __x86_64__ does.", '{"usr", "lib32", "libx32"}', "Pause(SYS_pidfd);",
    "const int syscall_count = 3;", "#include <linux/landlock.h>",
    "allowed.alarm(3);", "__arg__",
])
def test_what_every_architecture_has_is_not_found(line):
    assert not architecture.check("worker/sandbox/a.cc", f"{line}\n")


def test_flags_of_the_compiler_for_one_processor_are_found():
    path = "worker/CMakeLists.txt"
    assert architecture.check(path, "  PRIVATE -march=native)\n")
    assert architecture.check(path, "  PRIVATE -O2 -m32)\n")
    assert not architecture.check(path, "  PRIVATE -O2 -mfoo)  # -m32\n")


@pytest.mark.parametrize("path, checked", [
    ("worker/policy/a.cc", True), ("server/a.h", True),
    ("client/CMakeLists.txt", True),
    ("worker/policy/system_calls.cc", False),
    ("worker/policy/system_calls.h", False), ("tests/probes/a.cc", False),
    ("server/README.md", False),
])
def test_which_files_are_for_every_architecture(path, checked):
    assert architecture.is_checked(path) == checked


# Each is a copy of the page with one thing wrong.
@pytest.mark.parametrize("old, new, found", [
    ("\n| 30 |", "\n| 31 |", "no row for each"),
    ("\n| 56 |", "\n| five |", "no row for each"),
    ("`test_no_key`", "`test_no_keys`", "27: no such test: test_no_keys"),
    ("`test_no_key`", "", "27: no test"),
    # It is there, in a file of another family.
    ("`test_no_key`", "`test_no_mount`", "27: no such test: test_no_mount"),
    ("`test_exhaustion.py` `test_waiting`", "`test_waiting`",
     "51: no such test: test_waiting"),
    ("e2e `bad_input`, `worker_loss`", "e2e `bad_input`, `no_loss`",
     "56: no such file: tests/e2e/test_no_loss.py"),
    ("; `test_socket_memory.py`", "; `test_sockets.py`",
     "no such file: test_sockets.py"),
    ("; `test_socket_memory.py`", "; ", "test_socket_memory.py: in no row"),
])
def test_a_table_of_attacks_that_is_wrong_is_found(old, new, found):
    page, tests, e2e = attacks.read_all()
    assert old in page and not attacks.check(page, tests, e2e)
    errors = attacks.check(page.replace(old, new), tests, e2e)
    assert any(found in error for error in errors), errors


def test_an_attack_that_was_renamed_is_found():
    page, tests, e2e = attacks.read_all()
    assert "test_any_mode" in tests["test_output.py"]
    tests["test_output.py"].remove("test_any_mode")
    error, = attacks.check(page, tests, e2e)
    assert "49: no such test: test_any_mode" in error


def test_what_is_a_test():
    source = "def test_a(x):\n  pass\ndef a():\n  pass\ntest_b = 1\n"
    assert attacks.tests_of(source) == {"test_a"}


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
