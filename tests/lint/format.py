"""Runs clang-format and shellcheck over our sources: format.py TOOL."""

import subprocess
import sys

import repository


def command(tool):
    if tool == "clang-format":
        return (["clang-format", "--dry-run", "-Werror"],
                list(repository.files(".cc", ".h")))
    if tool == "shellcheck":
        return ["shellcheck"], list(repository.shell_scripts())
    sys.exit(f"unknown tool {tool}")


def main():
    program, paths = command(sys.argv[1])
    if not paths:
        sys.exit("nothing to check")
    print(f"{program[0]}: {len(paths)} files")
    return subprocess.run(program + paths, cwd=repository.ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
