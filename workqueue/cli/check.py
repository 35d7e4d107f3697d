"""Run a program once, and report what its author should mend.

PROGRAM is run as PROGRAM ARG... OUTPUT_FILENAME, in a temporary directory. The report names each line of its output
that is no progress, with the right form; a fraction that goes backwards; a long silence; output that is held back; a
failure; and a result that is missing. A warning is about what works, and may be a mistake. Ctrl-C stops the program,
and reports what was seen until then. The rules for programs, their contract, are in docs/program.rst of the source.

Examples:
  workqueue check ./build.py "one two three"
  workqueue check 'python3 build.py' input.csv --suffix .sqlite
  workqueue check -- ./build.py -x
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from workqueue.cli.exit_statuses import FAILED, INTERRUPTED, OK
from workqueue.cli.findings import find_problems, find_warnings, progress_of
from workqueue.cli.form import add_form
from workqueue.cli.program import add_program
from workqueue.cli.quantities import counted
from workqueue.cli.recording import Recording, Watcher, record
from workqueue.cli.shell_pipes import HiddenStatus, find_hidden_status
from workqueue.cli.suffix import add_suffix
from workqueue.errors import ProgramError
from workqueue.program.command import path_of
from workqueue.progress import Progress
from workqueue.terminal.live import LiveLine
from workqueue.terminal.remaining import Remaining
from workqueue.terminal.words import clock, percent, roughly

# More than any script that somebody has written.
_SCRIPT_BYTES: Final = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_program(parser)
    add_suffix(parser)
    add_form(parser)


def run(options: argparse.Namespace) -> int:
    """Check; print the report to stdout; return the exit status."""
    # A report that goes to a file or a pipe is not read by a person at the terminal.
    line = LiveLine(sys.stderr) if sys.stderr.isatty() and sys.stdout.isatty() else None
    try:
        with tempfile.TemporaryDirectory(prefix="workqueue-check-") as scratch:
            recording = record(
                options.program, options.arguments, Path(scratch), _watcher(line), options.suffix, form=options.result
            )
    except ProgramError as err:
        print(err)
        return FAILED
    finally:
        if line is not None:
            line.clear()
    return _report(recording, _hidden_status(path_of(options.program)))


def _watcher(line: LiveLine | None) -> Watcher:
    remaining = Remaining()

    def show(seconds: float, progress: Progress | None) -> None:
        if line is not None:
            left = remaining.add(progress or Progress(), seconds)
            line.show(_describe(seconds, progress, left))

    return show


def _describe(seconds: float, progress: Progress | None, left: float | None) -> str:
    if progress is None:
        return f"{clock(seconds)}  no progress yet"
    parts = (
        clock(seconds),
        percent(progress.fraction),
        None if left is None else f"{roughly(left)} left",
        progress.message,
    )
    return "  ".join(filter(None, parts))


def _hidden_status(program: Path) -> HiddenStatus | None:
    try:
        with program.open("rb") as file:
            return find_hidden_status(file.read(_SCRIPT_BYTES).decode("utf-8", errors="replace"))
    except OSError:  # it may be executable without being readable
        return None


def _report(recording: Recording, hidden: HiddenStatus | None) -> int:
    problems = list(find_problems(recording))
    warnings = list(find_warnings(recording, hidden))
    print(_summary(recording))
    for problem in problems:
        print(f"- {problem}")
    for warning in warnings:
        print(f"- warning: {warning}")
    if recording.is_interrupted:
        print(f"Interrupted; until then {counted(len(problems), 'problem')} to mend.")
        return INTERRUPTED
    print(f"{counted(len(problems), 'problem')} to mend." if problems else "It keeps the contract.")
    return FAILED if problems else OK


def _summary(recording: Recording) -> str:
    lines = counted(len(progress_of(recording)), "line")
    ran = f"It ran {recording.duration:.1f} s, printed {lines} of progress"
    if recording.is_interrupted:
        return f"{ran}, and was stopped."
    size = recording.output_size
    return f"{ran}, wrote {counted(size, 'byte')}." if size else f"{ran}, left no result."
