"""Every word of every filter chooses tests: a renamed test is not lost silently.
And no suite runs by another kernel than the one it is said to run by.

The filters are those of suites.py's EVERYDAY and those that ctest gives pytest
(EXCEPT of paddock_pytest). Boots nothing.
"""

import fnmatch
import functools
import os
import re
import subprocess
import sys

import pytest

import suites

BUILD = os.environ.get("PADDOCK_BUILD",
                       os.path.join(suites.ROOT, "build", "dev"))
_WORD = re.compile(r"\b(?!(?:and|or|not)\b)\w+")


def chosen(expression, names, without=None):
    """Those of `names` that pytest -k EXPRESSION takes, were no name to have
    the word `without` in it."""
    def holds(name):
        return eval(_WORD.sub(  # as pytest does it: words are substrings
            lambda word: str(word[0] != without and
                             word[0].lower() in name.lower()), expression))
    return [name for name in names if holds(name)]


def idle_words(expression, names):
    """Words of a pytest -k expression without which it chooses the same."""
    everything = chosen(expression, names)
    return [word for word in _WORD.findall(expression)
            if chosen(expression, names, without=word) == everything]


def idle_patterns(gtest_filter, names):
    return [pattern for pattern in gtest_filter.split(":")
            if not fnmatch.filter(names, pattern)]


@functools.cache
def gtest_names():
    """{program: names of its tests}, as ctest knows them."""
    found = {}
    for test in suites.ctest_listing.tests_of(BUILD):
        if "command" in test:
            program = os.path.basename(test["command"][0])
            found.setdefault(program, []).append(test["name"])
    return found


def pytest_names(program):
    command = list(program["command"])
    if "-k" in command:
        at = command.index("-k")
        del command[at:at + 2]
    output = subprocess.run(
        [*command, "--collect-only"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, **program["environment"]}, check=True).stdout
    return [line.rpartition("/")[2] for line in output.splitlines()
            if "::" in line]


def filters():
    """(program, filter): of all that are set."""
    for program in suites.programs(BUILD):
        command = program["command"]
        if "-k" in command:
            yield program, command[command.index("-k") + 1]
        everyday = suites.EVERYDAY.get(program["name"])
        if everyday is not None:
            yield program, everyday


FILTERS = [pytest.param(*one, id=f"{one[0]['name']}: {one[1]}")
           for one in filters()]


@pytest.mark.parametrize("program, expression", FILTERS)
def test_every_word_of_a_filter_chooses_something(program, expression):
    if program["kind"] == "gtest":
        names = gtest_names()[program["name"]]
        assert not idle_patterns(expression, names)
    else:
        names = pytest_names(program)
        assert chosen(expression, names) and not idle_words(expression, names)


def test_filters_of_both_kinds_are_found():
    kinds = {(one.values[0]["kind"], "not" in one.values[1]) for one in FILTERS}
    assert kinds == {("gtest", False), ("pytest", False), ("pytest", True)}


def test_every_program_of_the_everyday_part_is_there():
    names = {program["name"] for program in suites.programs(BUILD)}
    assert suites.EVERYDAY.keys() <= names


@pytest.mark.parametrize("expression, idle", [
    ("one or two", []), ("gone", ["gone"]), ("one or gone", ["gone"]),
    ("not (one or gone)", ["gone"]), ("two and not on_two", []),
    ("two and not on_three", ["on_three"]), ("test_t and (a or gone)", ["gone"]),
    ("test_a and (one or two)", []), ("ONE", [])])
def test_a_word_that_chooses_nothing_is_found(expression, idle):
    names = ["test_t.py::test_a[one]", "test_t.py::test_a[two]",
             "test_t.py::test_b[on_two]", "test_t.py::test_c"]
    assert idle_words(expression, names) == idle


def test_a_pattern_that_chooses_nothing_is_found():
    names = ["Suite.First", "Suite.Second"]
    assert idle_patterns("Suite.*:Other.*", names) == ["Other.*"]
    assert not idle_patterns("Suite.First:Suite.*", names)


OWN_KERNEL = re.match(r"\d+\.\d+", os.uname().release)[0]


@pytest.mark.parametrize("wanted, good", [
    (OWN_KERNEL, True), ("0.1", False),
    (OWN_KERNEL[:-1], False),  # the same beginning, as 6.1 has it of 6.12
    (OWN_KERNEL + "0", False)])
def test_a_plan_is_for_one_kernel(tmp_path, monkeypatch, wanted, good):
    monkeypatch.setattr(suites, "OUTPUT", str(tmp_path))
    monkeypatch.setitem(suites.KERNELS, wanted, ("bookworm", []))
    suites.Machine(wanted, [], [], 10)
    plan, = tmp_path.iterdir()
    ran = subprocess.run([sys.executable, f"{suites.HERE}/inside.py", plan],
                         stdout=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode == 0) == good
    assert ("RESULT []" in ran.stdout) == good
    said = f"this kernel is {os.uname().release}, and the plan is for {wanted}:"
    assert (said in ran.stdout) != good


def test_asking_for_the_tests_leaves_the_log_of_a_run(tmp_path):
    """It may be the log of the run that this is part of."""
    (tmp_path / "CTestTestfile.cmake").write_text(
        "add_test(one true)\nset_tests_properties(one PROPERTIES LABELS unit)")
    log = tmp_path / "Testing" / "Temporary" / "LastTest.log"
    log.parent.mkdir(parents=True)
    log.write_text("of a run")
    listed, = suites.ctest_listing.tests_of(tmp_path)
    assert suites.ctest_listing.labels_of(listed) == {"unit"}
    assert suites.ctest_listing.properties_of(listed)["WORKING_DIRECTORY"] == (
        str(tmp_path))
    assert log.read_text() == "of a run"
    # Control: asked there, ctest writes over it.
    subprocess.run(["ctest", "--test-dir", tmp_path, "--show-only"],
                   stdout=subprocess.DEVNULL, check=True)
    assert log.read_text() != "of a run"
