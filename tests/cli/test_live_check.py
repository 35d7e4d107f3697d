"""`workqueue check` as a person runs it: on a terminal, and stopped by Ctrl-C."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminals import COMMAND, Terminal, open_terminal
from tests.conftest import write_program
from tests.program.test_process import is_gone
from workqueue.testing import ScriptedProgram, output, print_bytes, say, wait

CHECK = [*COMMAND, "check"]


@pytest.fixture(name="terminal")
def narrow_terminal() -> Iterator[Terminal]:
    with open_terminal(columns=40) as terminal:
        yield terminal


def test_a_terminal_shows_where_the_program_stands_in_one_line(tmp_path: Path, terminal: Terminal) -> None:
    program = ScriptedProgram(
        tmp_path / "program",
        wait("begun"),
        say(0.5, "half of " + "x" * 99),
        wait("half"),
        say(1.0),
        output(b"built"),
    )
    process = subprocess.Popen([*CHECK, program.path], stdout=terminal.theirs, stderr=terminal.theirs)
    terminal.read_until(b"no progress yet")
    program.release("begun")
    terminal.read_until(b"50%  half of")
    program.release("half")
    assert process.wait(timeout=20) == 0
    live, _, report = terminal.read_all().partition("It ran")
    assert "\n" not in live
    assert all(len(drawn) < 40 for drawn in live.split("\r"))
    *_, blanks, after = live.split("\r")
    assert (blanks.strip(), after) == ("", "")  # nothing of it is left
    assert "half of" not in report
    assert report.endswith("It keeps the contract.\r\n")


@pytest.mark.parametrize("piped", ["stdout", "stderr"])
def test_nothing_is_drawn_where_one_of_both_is_no_terminal(tmp_path: Path, terminal: Terminal, piped: str) -> None:
    program = ScriptedProgram(tmp_path / "program", say(1.0, "done"), output(b"built"))
    streams = {"stdout": terminal.theirs, "stderr": terminal.theirs, piped: subprocess.PIPE}
    process = subprocess.Popen([*CHECK, program.path], **streams)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    shown = (out or err or b"").decode() + terminal.read_all()
    assert shown.startswith("It ran")
    assert "done" not in shown


def test_ctrl_c_stops_the_program_and_reports_what_was_seen(tmp_path: Path) -> None:
    program = ScriptedProgram(
        tmp_path / "program", print_bytes(b"25%\n0.5\n0.4\ncut o"), wait("for ever"), output(b"built")
    )
    process = subprocess.Popen([*CHECK, program.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    program.wait_reached("for ever")
    process.send_signal(signal.SIGINT)
    report, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "")
    first, *findings, last = report.splitlines()
    assert first.endswith("printed 2 lines of progress, and was stopped.")
    assert findings[0].endswith("got '25%'; print 0.25: a fraction of 1, not a percentage")
    assert findings[1:] == ["- its fraction goes backwards 1 time; it must only grow"]
    assert last == "Interrupted; until then 2 problems to mend."
    assert not Path(program.runs[0][-1]).parent.exists()


class Stubborn:
    """`check` of a program that handles SIGTERM: what it says of itself comes through a named pipe."""

    def __init__(self, directory: Path, on_term: str) -> None:
        os.mkfifo(directory / "says")
        text = f"cd '{directory}'; trap '{on_term}' TERM; exec 3>says; echo $$ >&3; while :; do sleep 1000 & wait; done"
        program = write_program(directory / "program", text)
        self.process = subprocess.Popen([*CHECK, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._says = (directory / "says").open()
        self.pid = int(self._says.readline())

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def wait_said(self) -> str:
        return self._says.readline().strip()

    def end(self) -> tuple[int, str, str]:
        with self._says:
            out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


def test_a_program_may_tidy_up_when_it_is_stopped(tmp_path: Path) -> None:
    check = Stubborn(tmp_path, "echo tidy >&3; exit")
    check.interrupt()
    assert check.wait_said() == "tidy"
    status, report, errors = check.end()
    assert (status, errors) == (130, "")
    assert report.endswith("- it printed no progress\nInterrupted; until then 1 problem to mend.\n")


def test_a_second_ctrl_c_kills_a_program_that_does_not_stop(tmp_path: Path) -> None:
    check = Stubborn(tmp_path, "echo never >&3")
    check.interrupt()
    assert check.wait_said() == "never"
    check.interrupt()
    status, report, errors = check.end()
    assert (status, errors) == (130, "")
    assert "and was stopped.\n" in report
    assert is_gone(check.pid)


def test_where_ctrl_c_is_ignored_it_stays_so(tmp_path: Path) -> None:
    """As below nohup, and in the background of a script."""
    program = ScriptedProgram(tmp_path / "program", say(1.0), wait("gate"), output(b"built"))
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *CHECK, program.path]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    program.wait_reached("gate")
    process.send_signal(signal.SIGINT)
    program.release("gate")
    report, _ = process.communicate(timeout=20)
    assert (process.returncode, report.splitlines()[-1]) == (0, "It keeps the contract.")
