"""Compilers and run-times work in a sandbox of the default profile.

Each language has a hello world and a program with threads; the compiler runs in
one sandbox and what it made in another. PADDOCK_LANGUAGES names those to run,
or is "all"; `tests/run languages` installs and runs all.
"""

import dataclasses
import os
import shutil

import pytest
from paddock.v1 import process_pb2

from harness import jobs
from harness import paths

SOURCES = os.path.join(paths.ROOT, "tests", "e2e", "languages")
SMALL_SHARE = "gcc g++ python3 perl"
# What Go and GHC link is larger than responses usually are.
MOST_BYTES = 32 << 20
LIMITS = dict(cpu_time=120, wall_time=240, memory_bytes=2 << 30, processes=512,
              open_files=1024, workspace_bytes=1 << 30,
              file_size_bytes=1 << 30)


@dataclasses.dataclass(frozen=True)
class Language:
    name: str
    suffix: str  # of the sources
    run: list  # "{program}" stands for what was made, or the source
    compile: list = None  # None: the source is run as it is
    made: str = "program"  # what the compiler leaves


LANGUAGES = [
    Language("gcc", "c", ["./program"],
             ["gcc", "-O1", "-pthread", "main.c", "-o", "program"]),
    Language("g++", "cc", ["./program"],
             ["g++", "-O1", "-pthread", "main.cc", "-o", "program"]),
    Language("clang", "c", ["./program"],
             ["clang", "-O1", "-pthread", "main.c", "-o", "program"]),
    Language("clang++", "cc", ["./program"],
             ["clang++", "-O1", "-pthread", "main.cc", "-o", "program"]),
    Language("rustc", "rs", ["./program"],
             ["rustc", "-C", "strip=symbols", "main.rs", "-o", "program"]),
    Language("java", "java", ["java", "-cp", "main.jar", "Main"],
             ["sh", "-c", "javac -d out main.java && "
              "jar cf main.jar -C out ."], "main.jar"),
    Language("node", "js", ["node", "main.js"]),
    Language("go", "go", ["./program"],
             ["env", "GOCACHE=/tmp/go", "CGO_ENABLED=0", "go", "build", "-o",
              "program", "main.go"]),
    Language("python3", "py", ["python3", "main.py"]),
    Language("numpy", "numpy.py", ["python3", "main.numpy.py"]),
    Language("perl", "pl", ["perl", "main.pl"]),
    Language("ruby", "rb", ["ruby", "main.rb"]),
    Language("php", "php", ["php", "main.php"]),
    Language("ocaml", "ml", ["./program"],
             ["ocamlopt", "-I", "+threads", "unix.cmxa", "threads.cmxa",
              "main.ml", "-o", "program"]),
    Language("ghc", "hs", ["./program", "+RTS", "-N2"],
             ["ghc", "-threaded", "-rtsopts", "main.hs", "-o", "program"]),
    Language("mono", "cs", ["mono", "main.exe"],
             ["mcs", "-out:main.exe", "main.cs"], "main.exe"),
]


def chosen():
    wanted = os.environ.get("PADDOCK_LANGUAGES", SMALL_SHARE).split()
    if wanted == ["all"]:
        return LANGUAGES
    found = [language for language in LANGUAGES if language.name in wanted]
    assert len(found) == len(wanted), wanted
    return found


@pytest.fixture(scope="session")
def server_config():
    return {"requests": {"inline_budget_bytes": MOST_BYTES},
            "sandbox": {"tmp_bytes": "1GiB"}}


@pytest.fixture(scope="session")
def api(server):
    options = [("grpc.max_receive_message_length", 2 * MOST_BYTES)]
    return jobs.Api(server.new_channel(options=options))


def source_of(language, program):
    path = os.path.join(SOURCES, f"{program}.{language.suffix}")
    with open(path, "rb") as file:
        return {f"main.{language.suffix}": file.read()}


def compiled(api, language, inputs):
    """The inputs of the run: what the compiler made of the source."""
    if language.compile is None:
        return inputs
    result = api.run(
        *language.compile, inputs=inputs, limits=LIMITS, timeout=300,
        stderr_to_stdout=True,
        outputs=[process_pb2.Output(path=language.made)])
    assert result.outcome == jobs.SUCCEEDED, (
        jobs.outcome_name(result.outcome), result.stdout.data.decode())
    return {language.made: result.outputs[0].data}


@pytest.mark.parametrize("program, expected", [
    ("hello", b"hello\n"), ("threads", b"40000\n")])
@pytest.mark.parametrize("language", chosen(), ids=lambda one: one.name)
def test_a_program_is_compiled_and_run(api, language, program, expected):
    inputs = compiled(api, language, source_of(language, program))
    result = api.run(*language.run, inputs=inputs, limits=LIMITS, timeout=300)
    assert (jobs.outcome_name(result.outcome), result.stdout.data,
            result.stderr.data) == ("SUCCEEDED", expected, b"")


@pytest.mark.parametrize("language", chosen(), ids=lambda one: one.name)
def test_a_program_that_fails_is_seen_to_fail(api, language):
    """The control: a source that is cut in the middle yields nothing."""
    (name, source), = source_of(language, "threads").items()
    cut = {name: source[:len(source) // 2]}
    command = language.compile or language.run
    result = api.run(*command, inputs=cut, limits=LIMITS, timeout=300)
    assert result.outcome == jobs.NONZERO_EXIT
    assert b"40000" not in result.stdout.data


def test_nothing_needed_is_missing_on_the_host():
    for language in chosen():
        program = (language.compile or language.run)[0]
        assert shutil.which(program, path="/usr/bin:/bin"), language.name
