"""Checks the table of tests/escape/README.md: each group of attacks has a row,
each test that a row names is there, and no file of tests is left out of it.
"""

import ast
import os
import re
import sys

import repository

FOLDER = "tests/escape/"
TABLE = FOLDER + "README.md"
E2E = "tests/e2e/"
GROUPS = 56
_ROW = re.compile(r"^\| (\d*) ?\|(.*)\|(.*)\|$", re.MULTILINE)
_FILE = re.compile(r"`(test_\w+\.py)`")
_TEST = re.compile(r"`(test_\w+)`")
_E2E = re.compile(r"\be2e ((?:`\w+`(?:, )?)+)")


def tests_of(text):
    """The names of the tests of a Python file."""
    return {node.name for node in ast.parse(text).body
            if isinstance(node, ast.FunctionDef)
            and node.name.startswith("test_")}


def check(text, tests, e2e):
    """Returns a list of "path: what". `text` is the page, `tests` {file: names
    of its tests} of tests/escape, `e2e` the names of files of tests/e2e."""
    errors, groups = [], []
    family, mentioned = [], set()
    for group, _, cell in _ROW.findall(text):
        files = _FILE.findall(cell)
        mentioned.update(files)
        if not group:
            family = files
            continue
        groups.append(int(group))
        names = _TEST.findall(cell)
        others = [f"test_{word}.py" for words in _E2E.findall(cell)
                  for word in re.findall(r"\w+", words)]
        where = f"{TABLE}: {group}:"
        if not names and not files and not others:
            errors.append(f"{where} no test")
        # In the files of its family, or in one that the row itself names.
        known = set().union(*(tests.get(file, ()) for file in family + files))
        errors += [f"{where} no such test: {name}" for name in names
                   if name not in known]
        errors += [f"{where} no such file: {E2E}{name}" for name in others
                   if name not in e2e]
    if groups != list(range(1, GROUPS + 1)):
        errors.append(f"{TABLE}: no row for each of 1 to {GROUPS}: {groups}")
    errors += [f"{TABLE}: no such file: {file}"
               for file in sorted(mentioned - tests.keys())]
    errors += [f"{FOLDER}{file}: in no row of {TABLE}"
               for file, names in sorted(tests.items())
               if names and file not in mentioned]
    return errors


def read_all():
    """What check() takes, of this repository."""
    tests, e2e = {}, set()
    for path in repository.files(".py"):
        folder, name = os.path.split(path)
        if folder + "/" == FOLDER and name.startswith("test_"):
            tests[name] = tests_of(repository.read(path))
        elif folder + "/" == E2E:
            e2e.add(name)
    return repository.read(TABLE), tests, e2e


def main():
    page, tests, e2e = read_all()
    return repository.report(len(tests), check(page, tests, e2e))


if __name__ == "__main__":
    sys.exit(main())
