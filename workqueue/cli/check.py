"""Run a program once and report how it keeps the contract, for its author.

PROGRAM is run as PROGRAM ARG... OUTPUT_FILENAME, in a temporary directory. Each bad line is named, with its right form,
and a program that holds its output back, stays silent, leaves no result or fails. Warnings are about what works and may
be meant so. Ctrl-C stops the program and reports what was seen until then.

The exit status is 0 when there is nothing to mend, 1 when there is something, and 130 after Ctrl-C.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from workqueue.cli.findings import find_problems, find_warnings, progress_of
from workqueue.cli.form import add_form
from workqueue.cli.program import add_program
from workqueue.cli.recording import Recording, Watcher, record
from workqueue.cli.shell_pipes import HiddenStatus, find_hidden_status
from workqueue.cli.suffix import add_suffix
from workqueue.errors import ProgramError
from workqueue.program.command import path_of
from workqueue.progress import Progress
from workqueue.terminal.live import LiveLine

# More than any script that somebody has written.
_SCRIPT_BYTES: Final = 1024 * 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add_program(parser)
    add_suffix(parser)
    add_form(parser)


def run(options: argparse.Namespace) -> int:
    """Check; print the report to stdout; return the exit status."""
    # Where the report goes to a file or a pipe, its reader is no person at the terminal.
    line = LiveLine(sys.stderr) if sys.stderr.isatty() and sys.stdout.isatty() else None
    try:
        with tempfile.TemporaryDirectory(prefix="workqueue-check-") as scratch:
            recording = record(
                options.program, options.arguments, Path(scratch), _watcher(line), options.suffix, form=options.result
            )
    except ProgramError as err:
        print(err)
        return 1
    finally:
        if line is not None:
            line.clear()
    return _report(recording, _hidden_status(path_of(options.program)))


def _watcher(line: LiveLine | None) -> Watcher:
    def show(seconds: float, progress: Progress | None) -> None:
        if line is not None:
            line.show(_describe(seconds, progress))

    return show


def _describe(seconds: float, progress: Progress | None) -> str:
    minutes, rest = divmod(int(seconds), 60)
    told = "no progress yet" if progress is None else f"{progress.fraction:4.0%}  {progress.message or ''}"
    return f"{minutes}:{rest:02}  {told}"


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
        print(f"Interrupted; until then {len(problems)} to mend.")
        return 130
    print(f"{len(problems)} to mend." if problems else "It keeps the contract.")
    return 1 if problems else 0


def _summary(recording: Recording) -> str:
    n_good = len(progress_of(recording))
    ran = f"It ran {recording.duration:.1f} s, printed {n_good} lines of progress"
    if recording.is_interrupted:
        return f"{ran}, and was stopped."
    return f"{ran}, wrote {recording.output_size} bytes." if recording.output_size else f"{ran}, left no result."
