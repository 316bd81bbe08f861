"""Runs test programs in the guest: inside.py PLAN.

PLAN is a JSON file that suites.py writes: the programs, and the kernel that the
guest must have, so that a figure is of the kernel it says. Prints a line for each program, all
the output of those that failed, and last, for suites.py, a line "RESULT {...}".
"""

import contextlib
import importlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import traceback

# Every Python test needs it: loaded once here, it saves each program the seconds
# that it takes an emulated guest.
import pytest

# And so does this. Not grpc itself: where it was loaded before a fork, a later
# fork of the child once aborted.
for _module in ("asyncio", "ctypes", "google.protobuf.duration_pb2",
                "google.protobuf.json_format", "google.protobuf.text_format",
                "google.protobuf.timestamp_pb2", "ssl", "urllib.request"):
    importlib.import_module(_module)

_GTEST_PASSED = re.compile(r"^\[  PASSED  \] (\d+) test", re.MULTILINE)
_GTEST_SKIPPED = re.compile(r"^\[  SKIPPED \] (\S+) \(", re.MULTILINE)
_GTEST_FAILED = re.compile(r"^\[  FAILED  \] (\S+)(?:, where .*)? \(",
                           re.MULTILINE)
_PYTEST = {word: re.compile(rf"\b(\d+) {word}\b")
           for word in ("passed", "skipped", "failed", "error")}


def count_gtest(output):
    passed = _GTEST_PASSED.search(output)
    return {"passed": int(passed[1]) if passed else 0,
            "skipped": len(_GTEST_SKIPPED.findall(output)),
            "failed": len(_GTEST_FAILED.findall(output))}


def count_pytest(output):
    last = output.strip().rpartition("\n")[2]
    found = {word: int(match[1]) for word, pattern in _PYTEST.items()
             if (match := pattern.search(last))}
    return {"passed": found.get("passed", 0),
            "skipped": found.get("skipped", 0),
            "failed": found.get("failed", 0) + found.get("error", 0)}


def become(program):
    """Replaces what a child runs. A session of its own, so that a time-out ends
    what it started too."""
    os.setsid()
    os.chdir(program["directory"])
    os.environ.update(program["environment"])
    command = program["command"]
    if program["kind"] == "gtest":
        for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by this interpreter
            signal.signal(ignored, signal.SIG_DFL)
        os.execv(command[0], command)
    sys.argv = command[2:]  # after the interpreter and -m
    return pytest.main(command[3:])


def start(program):
    """The child's pid, and where its output comes from."""
    source, sink = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid != 0:
        os.close(sink)
        return pid, source
    status = 127
    try:
        for stream in (1, 2):
            os.dup2(sink, stream)
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.closerange(3, 1024)
        status = int(become(program))
    except BaseException:  # pylint: disable=broad-except
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def read_until(source, deadline):
    """What comes until the end, and whether that came in time."""
    output = b""
    while select.select([source], [], [], max(0, deadline - time.monotonic()))[0]:
        part = os.read(source, 1 << 16)
        if not part:
            return output, True
        output += part
    return output, False


def explain_hang(pid, source):
    """What it printed since, and what the machine was doing: of a program that
    is killed nothing else would tell."""
    state = subprocess.run(
        ["ps", "-eo", "pid,ppid,stat,etimes,wchan:24,args", "--forest"],
        capture_output=True, check=False, timeout=60).stdout
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGABRT)  # pytest prints where each thread is
    output, _ = read_until(source, time.monotonic() + 60)
    return output + b"\n" + state


def run_program(program):
    """{"name", "passed", "skipped", "failed", "seconds", "good"}."""
    begin = time.monotonic()
    pid, source = start(program)
    output, in_time = read_until(source, begin + program["timeout"])
    if not in_time:
        output += explain_hang(pid, source)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    os.close(source)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    output = output.decode(errors="replace")
    ended = (f"exit status {status}" if in_time else
             f"not done after {program['timeout']} s")
    count = count_pytest if program["kind"] == "pytest" else count_gtest
    result = {"name": program["name"], **count(output),
              "seconds": time.monotonic() - begin}
    result["good"] = (in_time and status == 0 and result["failed"] == 0 and
                      result["passed"] > 0)
    print(f"{'ok  ' if result['good'] else 'FAIL'} {result['name']}: "
          f"{result['passed']} passed, {result['skipped']} skipped, "
          f"{result['failed']} failed, {result['seconds']:.1f} s", flush=True)
    if not result["good"]:
        print(f"---- {result['name']}: {ended}\n{output}\n----", flush=True)
    return result


def copy_to_memory(paths):
    """Over 9p each file that is opened is a question to the host. A new time, even
    the same, makes the overlay of the root copy the file into RAM."""
    for path in paths:
        now = os.lstat(path)
        os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns),
                 follow_symlinks=False)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    release, wanted = os.uname().release, plan["kernel"]
    print(f"Linux {release}, {os.cpu_count()} CPU, "
          f"{os.environ.get('VM_ACCELERATOR', 'no VM')}", flush=True)
    if not release.startswith(f"{wanted}."):
        print(f"FAIL: this kernel is {release}, and the plan is for {wanted}: "
              "see KERNELS in suites.py", flush=True)
        return 1
    copy_to_memory(plan["opened"])
    results = [run_program(program) for program in plan["programs"]]
    print("RESULT " + json.dumps(results), flush=True)
    return 0 if all(result["good"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
