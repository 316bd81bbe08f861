"""Runs the test suites in virtual machines with pure cgroup v2.

    tests/vm/suites.py [--all] [--kernel VERSION] [--only REGEX] [--build DIR]

Without --all the part that fits into an everyday run: the end-to-end tests, and
what EVERYDAY lists. --only chooses programs by name. Two machines at a time, one
for each kernel. What each prints is in build/vm too.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests"))
import ctest_listing  # noqa: E402 (found by the path set here)
OUTPUT = os.path.join(ROOT, "build", "vm")
LABELS = {"unit", "sandbox", "escape", "e2e"}

# Kernel -> the Debian release it comes from, and the features it cannot have:
# names of SKIP_WITHOUT in tests/support/skip.h. A release's newest kernel is what
# boots: inside.py fails where that is no longer the one it is named here.
KERNELS = {
    "6.1": ("bookworm", ["landlock_ports", "v1_devices",
                         "v1_controllers"]),
    "6.12": ("bookworm-backports", ["v1_devices", "v1_controllers"]),
}
# Beside all end-to-end tests: what the kernel and its cgroups decide. Program ->
# those of its tests that do, as GoogleTest's --gtest_filter and pytest's -k take
# them; None: all. A program of the end-to-end tests stands here where some of it
# is left to --all: what builds, measures, or runs what is run here anyway.
EVERYDAY = {
    "paddock_cgroup_instance": None,
    "paddock_child_process": None,
    "paddock_supervisor": None,
    "paddock_sandbox": None,
    "paddock_unit_base": None,
    "paddock_unit_policy": "FilterLoadTest.*",
    "paddock_unit_serving": "ConfineTest.*",
    "paddock_unit_worker": "LandlockTest.*",
    "escape_exhaustion": "test_memory_of_processes",
    "e2e_without_privilege": "not (test_unit_tests or test_building)",
    "e2e_readme": "not (test_quickstart_keeps or test_accounting or test_latency"
                  " or test_filter_cost)",
}
# On two CPUs that do nothing else; and before it counts as hanging, because
# slower ones take half as long again.
EXPECTED_SECONDS = 15 * 60
EVERYDAY_SECONDS = 2400
ALL_SECONDS = 4 * 3600


def programs(build):
    """The test programs of our labels, each once, in ctest's order."""
    found = {}
    for test in ctest_listing.tests_of(build):
        if not LABELS & ctest_listing.labels_of(test):
            continue
        properties = ctest_listing.properties_of(test)
        command = test["command"]
        kind = "pytest" if "pytest" in command else "gtest"
        # GoogleTest: one program for all of its tests, which ctest starts one
        # by one. Starting is what is slow in an emulated guest.
        name = (test["name"] if kind == "pytest" else
                os.path.basename(command[0]))
        program = found.setdefault(name, {
            "name": name, "kind": kind, "timeout": 0,
            "labels": sorted(ctest_listing.labels_of(test)),
            "command": command if kind == "pytest" else command[:1],
            "directory": properties.get("WORKING_DIRECTORY", build),
            "environment": dict(
                line.split("=", 1)
                for line in properties.get("ENVIRONMENT", []))})
        program["timeout"] += properties.get("TIMEOUT", 120)
    return list(found.values())


def add_filter(program, chosen):
    command = program["command"]
    if chosen and program["kind"] == "gtest":
        command.append(f"--gtest_filter={chosen}")
    elif chosen:
        # pytest goes by the last -k alone, and ctest may have given one.
        if "-k" in command:
            at = command.index("-k")
            chosen = f"({command[at + 1]}) and ({chosen})"
            del command[at:at + 2]
        command += ["-k", chosen]


def plan_for(everything, only, build):
    plan = programs(build)
    if not everything:
        gone = EVERYDAY.keys() - {program["name"] for program in plan}
        if gone:
            sys.exit(f"suites.py: no such program: {', '.join(sorted(gone))}")
        plan = [program for program in plan if program["name"] in EVERYDAY
                or program["labels"] == ["e2e"]]
        for program in plan:
            add_filter(program, EVERYDAY.get(program["name"]))
    if only:
        plan = [program for program in plan
                if re.search(only, program["name"])]
    for program in plan:
        # ctest's limits are for hardware; the machine's own limit is below.
        program["timeout"] = int(min(program["timeout"] * 5, ALL_SECONDS))
    return plan


def often_opened(build):
    """The programs of the build, and the libraries that they load."""
    folder = os.path.join(build, "bin")
    found = {os.path.join(folder, name) for name in os.listdir(folder)}
    done = subprocess.run(["ldd", *sorted(found)], capture_output=True,
                          text=True, check=False)  # one is static
    found.update(word for word in done.stdout.split()
                 if word.startswith("/") and not word.endswith(":"))
    found.update([os.path.realpath(path) for path in found])
    return sorted(found)


class Machine:
    """One guest and what it printed."""

    def __init__(self, kernel, plan, opened, seconds):
        self.kernel = kernel
        self._plan_file = os.path.join(OUTPUT,
                                       f"plan-{os.getpid()}-{kernel}.json")
        with open(self._plan_file, "w", encoding="utf-8") as file:
            json.dump({"kernel": kernel, "programs": plan, "opened": opened},
                      file)
        release, lacking = KERNELS[kernel]
        self._command = [
            os.path.join(HERE, "boot"), "--release", release,
            "--timeout", str(seconds), "--share", OUTPUT,
            # By default a process may have half of what is left for all.
            "--memory", "6144",
            "--env", "SANDBOX_TESTS_MUST_RUN=1",
            "--env", "SANDBOX_TESTS_LACK=" + ",".join(lacking),
            "--", "/usr/bin/python3", os.path.join(HERE, "inside.py"),
            self._plan_file]
        self.results = []
        self.status = None
        self.seconds = 0.0

    def run(self):
        start = time.monotonic()
        log_name = os.path.join(OUTPUT, f"{self.kernel}.log")
        with open(log_name, "w", encoding="utf-8") as log, subprocess.Popen(
                self._command, cwd=ROOT, text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT) as process:
            for line in process.stdout:
                log.write(line)
                if line.startswith("RESULT "):
                    self.results = json.loads(line.removeprefix("RESULT "))
                else:
                    print(f"{self.kernel} | {line}", end="", flush=True)
        os.remove(self._plan_file)
        self.status = process.returncode
        self.seconds = time.monotonic() - start

    def good(self):
        return self.status == 0 and bool(self.results)

    def summary(self):
        totals = [sum(result[key] for result in self.results)
                  for key in ("passed", "skipped", "failed")]
        return (f"kernel {self.kernel}: "
                f"{'ok' if self.good() else 'FAILED'}, "
                f"{len(self.results)} programs, "
                "{} passed, {} skipped, {} failed, ".format(*totals) +
                f"{self.seconds:.0f} s, exit status {self.status}")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--kernel", action="append", choices=list(KERNELS))
    parser.add_argument("--only")
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "dev"))
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    os.makedirs(OUTPUT, exist_ok=True)
    seconds = ALL_SECONDS if arguments.all else EVERYDAY_SECONDS
    build = os.path.abspath(arguments.build)
    plan = plan_for(arguments.all, arguments.only, build)
    if not plan:
        sys.exit("suites.py: nothing to run")
    opened = often_opened(build)
    machines = [Machine(kernel, plan, opened, seconds)
                for kernel in arguments.kernel or KERNELS]
    threads = [threading.Thread(target=machine.run) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for machine in machines:
        print(machine.summary())
        if not arguments.all and machine.seconds > EXPECTED_SECONDS:
            print(f"kernel {machine.kernel}: more than the "
                  f"{EXPECTED_SECONDS} s that the everyday part is to take")
    return 0 if all(machine.good() for machine in machines) else 1


if __name__ == "__main__":
    sys.exit(main())
