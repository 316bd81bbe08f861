"""Chooses tests: a build directory and filters as arguments.

Prints the argument of `ctest -I`. A filter that is the label of some test
takes the tests with that label, any other is a regular expression over names.
"""

import re
import sys

import ctest_listing
from ctest_listing import labels_of


def main(build, *filters):
    tests = ctest_listing.tests_of(build)
    every_label = set().union(*(labels_of(test) for test in tests))
    chosen = set()
    for wanted in filters:
        if wanted in every_label:
            hits = {n for n, test in enumerate(tests, 1)
                    if wanted in labels_of(test)}
        else:
            hits = {n for n, test in enumerate(tests, 1)
                    if re.search(wanted, test["name"])}
        if not hits:
            sys.exit(f"tests/run: no test or label matches '{wanted}'")
        chosen |= hits
    # Start beyond the end, so that only the listed numbers are taken.
    print(f"0,0,0,{','.join(str(n) for n in sorted(chosen))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
