"""For tests of real servers: a program that goes on when it is told to."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from workqueue.testing import ScriptedProgram, output, say, wait


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ScriptedProgram]:
    """Stands at 0.25, then at 0.5, then ends, each time when it is told to go on."""
    steps = say(0.25, "one"), wait("one"), say(0.5, "two"), wait("two"), output(b"the database")
    with ScriptedProgram(tmp_path / "program", *steps) as program:
        yield program
