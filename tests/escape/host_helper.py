"""Programs that the kernel starts as root, outside of any sandbox."""

import contextlib
import pathlib
import tempfile

from harness.host import sysctl


@contextlib.contextmanager
def helper(switch, setting):
    """Puts one of the tests' own in the place of that which the sysctl `switch`
    names, by `setting` with {} for its path. Gives a function that returns the
    last word of every command line it was started with."""
    with tempfile.TemporaryDirectory(prefix="helper-") as folder:
        program, words = pathlib.Path(folder, "h"), pathlib.Path(folder, "words")
        words.touch()
        program.write_text('#!/bin/sh\nfor word; do :; done\n'
                           f'echo "$word" >>{words}\n', encoding="ascii")
        program.chmod(0o755)
        with sysctl(switch, setting.format(program)):
            yield lambda: words.read_text(encoding="ascii").split()
