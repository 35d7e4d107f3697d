"""The bar of `workqueue run`, on real terminals of some widths."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.terminals import COMMAND, open_terminal
from workqueue.terminal.width import width_of
from workqueue.testing import ScriptedProgram, exit_with, output, print_error, say, wait

LONG = " ".join(["a very long message"] * 6)

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def environment(**variables: str) -> dict[str, str]:
    """Ours, with a usual terminal whose width is its own."""
    inherited = {
        name: value for name, value in os.environ.items() if name not in {"COLUMNS", "FORCE_COLOR", "NO_COLOR"}
    }
    return {**inherited, "TERM": "xterm-256color", **variables}


def run(columns: int, program: ScriptedProgram, storage: Path, gate: str = "", **variables: str) -> tuple[int, str]:
    """Run it on a terminal, open a gate when half of it is shown; return the status and all that was shown."""
    with open_terminal(columns) as terminal:
        process = subprocess.Popen(
            [*COMMAND, "run", program.path, "--storage", storage],
            stdin=terminal.theirs, stdout=subprocess.DEVNULL, stderr=terminal.theirs, env=environment(**variables),
        )  # fmt: skip
        if gate:
            terminal.read_until(b"50%")
            program.release(gate)
        shown = terminal.read_all()
    return process.wait(timeout=20), shown


def lines(shown: str) -> list[str]:
    """Each line that was drawn, one over the other."""
    return [line for line in re.split(r"[\r\n]+", _ESCAPES.sub("", shown)) if line.strip()]


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_percentage_and_the_bar_stay_whatever_the_message(tmp_path: Path, columns: int) -> None:
    program = ScriptedProgram(tmp_path / "program", say(0.5, LONG), wait("half"), output(b"built"))
    status, shown = run(columns, program, tmp_path / "storage", "half")
    assert status == 0
    drawn = lines(shown)
    assert all(width_of(line) <= columns for line in drawn)
    [half] = {re.sub(r"\d:\d\d", "0:00", line).rstrip() for line in drawn if " 50% " in line}
    assert re.fullmatch(r"program [━╸╺]{10,40}  50% 0:00  a very.*…?", half)
    assert half.endswith("…") == (columns < 200)
    assert re.fullmatch(r"program ━{10,40} 100% \d:\d\d  built\s*", drawn[-1])


def test_a_failure_is_shown_where_it_happened(tmp_path: Path) -> None:
    program = ScriptedProgram(
        tmp_path / "program", say(0.5, "half"), wait("half"), print_error("no such set"), exit_with(3)
    )
    status, shown = run(60, program, tmp_path / "storage", "half")
    assert status == 1
    *_, bar, first, second, third = lines(shown)
    assert re.search(r"  50% \d:\d\d  failed", bar)
    assert [first, second, third] == ["Exited with code 3", "stderr:", "no such set"]
    assert "100%" not in shown


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(tmp_path: Path) -> None:
    program = ScriptedProgram(tmp_path / "program", say(0.5, LONG), wait("half"), output(b"built"))
    status, shown = run(60, program, tmp_path / "storage", "half", TERM="dumb")
    assert status == 0
    assert "\x1b" not in shown
    assert shown.splitlines()[-2:] == [f"program:  50%  {LONG}", "program: 100%  built"]
