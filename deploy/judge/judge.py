"""Judges a few solutions with Paddock and prints how each ended.

    judge.py PADDOCK SERVER

PADDOCK is the client program, SERVER what its --server takes. Every run is a
sandbox of its own. Exit 0: each ended as it had to.
"""

import base64
import dataclasses
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RPC_DEADLINE = "60s"
CANARY = "the host's secret"
COLUMNS = "{:<24} {:<26} {:>6} {:>9} {:>9} {:>9}  {}"


@dataclasses.dataclass
class Run:
    """One program to run, and how it has to end."""
    title: str
    argv: list
    outcome: str = "SUCCEEDED"
    # What stdout has to be, where that is set.
    stdout: str = None
    # What stderr has to contain.
    stderr: str = ""
    stdin: str = ""
    flags: tuple = ()


def execute(paddock, server, run):
    """The ProcessResult of one run, as JSON."""
    command = [paddock, "run", "--server", server, "--json", "--deadline",
               RPC_DEADLINE, *run.flags, "--", *run.argv]
    done = subprocess.run(command, input=run.stdin.encode(),
                          capture_output=True, check=False)
    if not done.stdout:
        sys.exit(f"judge: {' '.join(command)}\n{done.stderr.decode()}")
    return json.loads(done.stdout)["result"]["process"]


def text_of(result, stream):
    capture = result.get(stream, {})
    data = base64.b64decode(capture.get("data", ""))
    return capture.get("text", data.decode(errors="replace"))


def milliseconds(result, name):
    value = result.get("usage", {}).get(name, "0s")
    return f"{float(value.rstrip('s')) * 1e3:.1f} ms"


def mebibytes(result):
    count = int(result.get("usage", {}).get("peakMemoryBytes", 0))
    return f"{count / (1 << 20):.1f} MiB"


def ending(result):
    if "termSignal" in result:
        return f"sig {result['termSignal']}"
    return str(result.get("exitCode", "-"))


def shown_output(result):
    text = text_of(result, "stdout") or text_of(result, "stderr")
    line = (text.strip().splitlines() or [""])[-1]
    return line if len(line) <= 40 else line[:37] + "..."


def is_right(run, result):
    return (result["outcome"] == f"OUTCOME_{run.outcome}"
            and (run.stdout is None
                 or text_of(result, "stdout") == run.stdout)
            and run.stderr in text_of(result, "stderr"))


def runs(binary, canary):
    """The programs after the compilation."""
    limits = ("--cpu-time", "1s", "--wall-time", "5s", "--memory", "64M")
    native = (*limits, "--file", f"solution={binary}")
    python = (*limits, "--file", f"solution.py={HERE}/solution.py")
    interpreter = "/usr/bin/python3"
    many = " ".join(str(number) for number in range(100_000))
    yield Run("C++, test 1", ["./solution"], stdin="3\n1 2 3\n",
              stdout="6 3\n", flags=native)
    yield Run("C++, test 2", ["./solution"], stdin="4\n-7 -1 -9 -3\n",
              stdout="-20 -1\n", flags=native)
    yield Run("C++, 100,000 numbers", ["./solution"], stdin=f"100000\n{many}\n",
              stdout="4999950000 99999\n", flags=native)
    yield Run("Python, test 1", [interpreter, "solution.py"],
              stdin="3\n1 2 3\n", stdout="6 3\n", flags=python)
    yield Run("loops for ever", [interpreter, "-c", "while True: pass"],
              outcome="CPU_TIME_LIMIT_EXCEEDED", flags=limits)
    yield Run("eats memory", [interpreter, "-c", "x = bytearray(1 << 30)"],
              outcome="MEMORY_LIMIT_EXCEEDED", flags=limits)
    yield Run("reads the host's files", ["/bin/cat", canary],
              outcome="NONZERO_EXIT", stdout="",
              stderr="No such file or directory", flags=limits)


def compilation(binary):
    return Run(
        "C++, compile",
        ["g++", "-O2", "-o", "solution", "solution.cc"],
        flags=("--cpu-time", "20s", "--wall-time", "60s", "--memory", "512M",
               "--processes", "64", "--file",
               f"solution.cc={HERE}/solution.cc",
               "--out", f"solution={binary}"))


def judge(paddock, server, run):
    """Runs, prints the row, and tells whether it was right."""
    result = execute(paddock, server, run)
    right = is_right(run, result)
    print(COLUMNS.format(
        run.title, result["outcome"].removeprefix("OUTCOME_"), ending(result),
        milliseconds(result, "cpuTime"), milliseconds(result, "wallTime"),
        mebibytes(result), shown_output(result)), flush=True)
    if not right:
        print(f"  WRONG: wanted {run.outcome}"
              + (f" and {run.stdout!r}" if run.stdout is not None else "")
              + f"; the answer was {json.dumps(result)[:2000]}", flush=True)
    return right


def main():
    paddock, server = sys.argv[1:]
    print(COLUMNS.format("program", "outcome", "exit", "CPU", "wall",
                         "memory", "output"))
    with tempfile.TemporaryDirectory() as folder:
        canary = os.path.join(folder, "canary")
        with open(canary, "w", encoding="utf-8") as file:
            file.write(CANARY)
        # Readable for everyone: only the sandbox keeps it from the program.
        os.chmod(folder, 0o755)
        os.chmod(canary, 0o644)
        binary = os.path.join(folder, "solution")
        rights = [judge(paddock, server, compilation(binary))]
        if not os.path.exists(binary):
            sys.exit("judge: the compiler left no program")
        os.chmod(binary, 0o755)
        rights += [judge(paddock, server, run) for run in runs(binary, canary)]
    wrong = rights.count(False)
    print(f"\n{len(rights)} programs, {wrong} with another ending than wanted")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
