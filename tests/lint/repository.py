"""The files of this repository, as the lint tests see them."""

import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
_SKIPPED = {".git", "build", "node_modules", "__pycache__"}


def files(*suffixes):
    """Yields paths below ROOT, sorted; `suffixes` choose, none takes all."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), ROOT)
            if os.path.islink(os.path.join(ROOT, path)) or name == ".git":
                continue
            if not suffixes or name.endswith(suffixes):
                yield path


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def report(count, errors):
    """Prints what was found in `count` files; the exit status. No file at all is
    an error: nothing was looked at."""
    for line in errors:
        print("error:", line)
    print(f"{count} files, {len(errors)} errors")
    return 1 if errors or not count else 0


def shell_scripts():
    """Yields the files that a shell reads, by name or by first line."""
    for path in files():
        with open(os.path.join(ROOT, path), "rb") as file:
            first = file.readline(80)
        if path.endswith(".sh") or first.startswith(
                (b"#!/bin/bash", b"#!/bin/sh")):
            yield path
