"""README.md's table of kinds of hosts says what paddockd says of itself."""

import pytest

from harness import support_matrix
from harness.support_matrix import KINDS


@pytest.fixture(name="table", scope="module")
def _table():
    with open(support_matrix.README, encoding="utf-8") as file:
        return support_matrix.parse(file.read())


def test_it_has_every_kind_and_is_as_the_script_writes_it(table):
    assert set(table) == set(KINDS)
    with open(support_matrix.README, encoding="utf-8") as file:
        assert support_matrix.render(table) in file.read()


@pytest.mark.parametrize("kind", support_matrix.kinds_of_this_host())
def test_a_run_says_the_same(table, work_directory, kind):
    assert support_matrix.collect(kind, work_directory) == table[kind]
