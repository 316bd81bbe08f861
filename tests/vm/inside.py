"""Runs test programs in the guest: inside.py PLAN.

PLAN is a JSON file that suites.py writes. Prints a line for each program, all
the output of those that failed, and last, for suites.py, a line "RESULT {...}".
"""

import json
import os
import re
import signal
import subprocess
import sys
import time

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


def run_program(program):
    """{"name", "passed", "skipped", "failed", "seconds", "good"}."""
    start = time.monotonic()
    # A session of its own, so that a time-out ends what it started too.
    process = subprocess.Popen(
        program["command"], cwd=program["directory"], text=True,
        errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, **program["environment"]})
    try:
        output, _ = process.communicate(timeout=program["timeout"])
        ended = f"exit status {process.returncode}"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        ended = f"not done after {program['timeout']} s"
    count = count_pytest if program["kind"] == "pytest" else count_gtest
    result = {"name": program["name"], **count(output),
              "seconds": time.monotonic() - start}
    result["good"] = (process.returncode == 0 and result["failed"] == 0 and
                      result["passed"] > 0)
    print(f"{'ok  ' if result['good'] else 'FAIL'} {result['name']}: "
          f"{result['passed']} passed, {result['skipped']} skipped, "
          f"{result['failed']} failed, {result['seconds']:.1f} s", flush=True)
    if not result["good"]:
        print(f"---- {result['name']}: {ended}\n{output}\n----", flush=True)
    return result


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        plan = json.load(file)
    print(f"Linux {os.uname().release}, {os.cpu_count()} CPU, "
          f"{os.environ.get('VM_ACCELERATOR', 'no VM')}", flush=True)
    results = [run_program(program) for program in plan]
    print("RESULT " + json.dumps(results), flush=True)
    return 0 if all(result["good"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
