"""Checks text files: length, leftovers, paths of one machine, white space."""

import re
import sys

import repository

WARN_LINES = 400
MAX_LINES = 500
# Written apart so that this file does not match itself.
_LEFTOVERS = re.compile(r"\b(TO" "DO|FIX" "ME|XX" "X|HA" "CK)\\b")
_MACHINE_PATHS = re.compile(
    "/(home|Users)/[A-Za-z]|/wo" "rk/(main|shared|wt-|[.]lib)|[.]py" "env")
_SOURCES = (".cc", ".h", ".py", ".sh", ".proto", "CMakeLists.txt")
_NOT_TEXT = ("package-lock.json", "LICENSE", ".png", ".pb", ".bin")
# Bytes as a fuzz target found them.
_RAW = ("tests/fuzz/regressions/",)


def is_text(path):
    return not path.endswith(_NOT_TEXT) and not path.startswith(_RAW)


def check(path, text):
    """Returns (errors, warnings), each a list of "path:line: what"."""
    errors, warnings = [], []
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{path}:{number}"
        if _LEFTOVERS.search(line):
            errors.append(f"{where}: leftover: {line.strip()}")
        if _MACHINE_PATHS.search(line):
            errors.append(f"{where}: path of one machine: {line.strip()}")
        if line != line.rstrip():
            errors.append(f"{where}: white space at the end")
        if "\t" in line and path.endswith(_SOURCES):
            errors.append(f"{where}: tab")
    if text and not text.endswith("\n"):
        errors.append(f"{path}: no newline at the end")
    if path.endswith(_SOURCES):
        lines = text.count("\n")
        if lines > MAX_LINES:
            errors.append(f"{path}: {lines} lines, over {MAX_LINES}")
        elif lines > WARN_LINES:
            warnings.append(f"{path}: {lines} lines, over {WARN_LINES}")
    return errors, warnings


def main():
    errors, warnings = [], []
    count = 0
    for path in repository.files():
        if not is_text(path):
            continue
        try:
            text = repository.read(path)
        except UnicodeDecodeError:
            errors.append(f"{path}: not UTF-8")
            continue
        more = check(path, text)
        errors += more[0]
        warnings += more[1]
        count += 1
    for line in warnings:
        print("warning:", line)
    return repository.report(count, errors)


if __name__ == "__main__":
    sys.exit(main())
