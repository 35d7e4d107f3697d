"""Run a program once and report how it keeps the contract, for its author.

PROGRAM is run as PROGRAM ARG... OUTPUT_FILENAME, in a temporary directory. Each bad line is named, and a program that
holds its output back, stays silent, leaves no result or fails. The exit status is 0 when there is nothing to mend.
"""

import argparse
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from workqueue.cli.recording import Recording, record
from workqueue.errors import ProgramError
from workqueue.program.lines import MAX_LINE_BYTES
from workqueue.program.protocol import parse_line
from workqueue.progress import Progress

#: Longer than this without a word, and a person thinks that something is wrong.
SILENCE_SECONDS: Final = 10.0

#: A run shorter than this may well print everything at once.
_SHORT_RUN_SECONDS: Final = 1.0

#: More bad lines than this are counted, not shown.
_MAX_SHOWN: Final = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("program", metavar="PROGRAM", type=Path, help="the program, a path")
    parser.add_argument("arguments", metavar="ARG", nargs="*", help="what it is given before its output file")


def run(options: argparse.Namespace) -> int:
    """Check; print the report to stdout; return the exit status."""
    try:
        with tempfile.TemporaryDirectory(prefix="workqueue-check-") as scratch:
            recording = record(options.program.absolute(), options.arguments, Path(scratch))
    except ProgramError as err:
        print(err)
        return 1
    problems = list(find_problems(recording))
    print(_summary(recording))
    for problem in problems:
        print(f"- {problem}")
    print(f"{len(problems)} to mend." if problems else "It keeps the contract.")
    return 1 if problems else 0


def find_problems(recording: Recording) -> Iterator[str]:
    """What the program's author should mend, in the order in which it happened."""
    yield from _bad_lines(recording)
    yield from _backward_steps(recording)
    yield from _silences(recording)
    yield from _held_back(recording)
    if recording.unfinished:
        yield f"its last line, {_show(recording.unfinished)}, has no newline: nobody sees it"
    if recording.returncode != 0:
        yield f"it exited with status {recording.returncode}; its stderr: {recording.stderr_text.strip() or '(empty)'}"
    if recording.output_error is not None:
        yield recording.output_error


def _progress(recording: Recording) -> list[tuple[float, Progress]]:
    parsed = ((at, parse_line(line)) for at, line in recording.lines)
    return [(at, progress) for at, progress in parsed if progress is not None]


def _bad_lines(recording: Recording) -> Iterator[str]:
    bad = [(i, line) for i, (_, line) in enumerate(recording.lines, start=1) if parse_line(line) is None]
    for number, line in bad[:_MAX_SHOWN]:
        if len(line) > MAX_LINE_BYTES:
            yield f"line {number} of stdout is longer than {MAX_LINE_BYTES} bytes: {_show(line)}"
        else:
            yield f"line {number} of stdout must look like '0.25\\tmessage', 0 to 1; got {_show(line)}"
    if len(bad) > _MAX_SHOWN:
        yield f"and {len(bad) - _MAX_SHOWN} more such lines"


def _backward_steps(recording: Recording) -> Iterator[str]:
    fractions = [progress.fraction for _, progress in _progress(recording)]
    n_steps = sum(after < before for before, after in pairwise(fractions))
    if n_steps:
        yield f"its fraction goes backwards, {n_steps} times"


def _silences(recording: Recording) -> Iterator[str]:
    moments = [0.0, *(at for at, _ in recording.lines), recording.duration]
    longest = max(after - before for before, after in pairwise(moments))
    if not recording.lines:
        yield "it printed no progress"
    elif longest > SILENCE_SECONDS:
        yield f"it was silent for {longest:.0f} s; a client takes {SILENCE_SECONDS:.0f} s without a word for a failure"


def _held_back(recording: Recording) -> Iterator[str]:
    """Many lines in one moment at the end of a run that took longer: they sat in a buffer."""
    if len(recording.lines) > 1 and recording.duration > _SHORT_RUN_SECONDS:
        first = recording.lines[0][0]
        if first > 0.9 * recording.duration:
            yield (
                f"all {len(recording.lines)} lines came in the last moment of {recording.duration:.1f} s:"
                " it must flush its stdout after each"
            )


def _summary(recording: Recording) -> str:
    n_good = len(_progress(recording))
    kept = f"wrote {recording.output_size} bytes" if recording.output_size else "left no result"
    return f"It ran {recording.duration:.1f} s, printed {n_good} lines of progress, {kept}."


def _show(line: bytes) -> str:
    text = repr(line[:80].decode("utf-8", errors="replace"))
    return text if len(line) <= 80 else f"{text}..."
