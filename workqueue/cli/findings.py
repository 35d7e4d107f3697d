"""findings: a recording -> what the program's author should mend, and what may be a mistake; pure."""

import re
import signal
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from workqueue.cli.quantities import counted
from workqueue.cli.recording import Recording
from workqueue.cli.shell_pipes import HiddenStatus
from workqueue.program.exit_status import STATUS_LOST
from workqueue.program.hints import TQDM_FIX, is_tqdm, right_form
from workqueue.program.lines import MAX_LINE_BYTES
from workqueue.program.protocol import parse_line
from workqueue.program.retry import RETRY_LATER
from workqueue.progress import Progress

#: After this many seconds without progress a person thinks that something is wrong.
SILENCE_SECONDS: Final = 10.0

#: A program that prints its progress before each of ten items or more ends at this fraction or a larger one. A program
#: that ends below has more likely stopped in the middle without noticing.
NEARLY_DONE: Final = 0.9

#: A shorter run may print everything at once. On a busy machine it takes a second to begin.
_SHORT_RUN_SECONDS: Final = 3.0

#: So many bad lines are shown; the others are counted.
_MAX_SHOWN: Final = 20


def find_problems(recording: Recording) -> Iterator[str]:
    """What the program's author should mend, in the order in which it happened."""
    yield from _bad_lines(recording)
    yield from _backward_steps(recording)
    yield from _silences(recording)
    yield from _held_back(recording)
    if not recording.is_interrupted:
        yield from _bad_end(recording)


def find_warnings(recording: Recording, hidden: HiddenStatus | None) -> Iterator[str]:
    """What works, but looks like a mistake.

    Args:
        recording: a run.
        hidden: a place where the program may hide that a command failed.
    """
    if parse_line(recording.unfinished) is not None:
        yield (
            f"its last line, {_show(recording.unfinished)}, has no newline, so clients see it only when the program has"
            " ended; print a newline after each line"
        )
    if recording.returncode == 0 and not recording.is_interrupted:
        good = progress_of(recording)
        if good and good[-1][1].fraction < NEARLY_DONE:
            last = good[-1][1].fraction
            yield f"it exited with status 0, but its last fraction was {last:.4g}; has it done all its work?"
        if hidden is not None:
            yield (
                f"line {hidden.number} of the program, {hidden.line[:80]!r}, is a pipe: its exit status is that of its"
                f" last command, and hides that an earlier one failed; {hidden.fix}"
            )


def progress_of(recording: Recording) -> list[tuple[float, Progress]]:
    """The progress of each good line, and when it came, in seconds since the start."""
    parsed = ((at, parse_line(line)) for at, line in recording.lines)
    return [(at, progress) for at, progress in parsed if progress is not None]


def _bad_lines(recording: Recording) -> Iterator[str]:
    bad = [(i, line) for i, (_, line) in enumerate(recording.lines, start=1) if parse_line(line) is None]
    told: set[str] = set()
    for number, line in bad[:_MAX_SHOWN]:
        if len(line) > MAX_LINE_BYTES:
            yield f"line {number} of stdout is longer than {MAX_LINE_BYTES} bytes: {_show(line)}"
        else:
            hint = right_form(line)
            advice = f"; {hint.text}" if hint is not None and hint.kind not in told else ""
            told |= {hint.kind} if hint is not None else set()
            yield f"line {number} of stdout must look like '0.25\\tmessage', 0 to 1; got {_show(line)}{advice}"
    if len(bad) > _MAX_SHOWN:
        yield f"and {counted(len(bad) - _MAX_SHOWN, 'more such line')}"


def _backward_steps(recording: Recording) -> Iterator[str]:
    fractions = [progress.fraction for _, progress in progress_of(recording)]
    n_steps = sum(after < before for before, after in pairwise(fractions))
    if n_steps:
        yield f"its fraction goes backwards {counted(n_steps, 'time')}; it must only grow"


def _silences(recording: Recording) -> Iterator[str]:
    moments = [0.0, *(at for at, _ in recording.lines), recording.duration]
    longest = max(after - before for before, after in pairwise(moments))
    if not recording.lines:
        has_bars = any(map(is_tqdm, re.split(r"[\r\n]", recording.stderr_text)))
        fix = f"; tqdm draws its bars on stderr, for people: {TQDM_FIX}" if has_bars else ""
        yield f"it printed no progress{fix}"
    elif longest > SILENCE_SECONDS:
        yield (
            f"it printed nothing for {longest:.0f} s, and people think that it hangs after {SILENCE_SECONDS:.0f} s;"
            " print progress more often"
        )


def _held_back(recording: Recording) -> Iterator[str]:
    """Many lines in one moment at the end of a longer run: they were in a buffer."""
    if len(recording.lines) > 1 and recording.duration > _SHORT_RUN_SECONDS:
        first = recording.lines[0][0]
        if first > 0.9 * recording.duration:
            yield (
                f"all {len(recording.lines)} lines came in the last moment of {recording.duration:.1f} s;"
                " flush stdout after each line"
            )


def _bad_end(recording: Recording) -> Iterator[str]:
    stderr = recording.stderr_text.strip()
    if recording.returncode is None:
        yield STATUS_LOST
    elif recording.returncode != 0:
        yield f"{_end(recording.returncode)}; its stderr: {stderr or '(empty)'}"
    if recording.output_error is not None:  # a pipe may have hidden why
        yield f"{recording.output_error}; its stderr: {stderr}" if stderr else recording.output_error


def _end(returncode: int) -> str:
    if returncode < 0:
        try:
            return f"it was ended by {signal.Signals(-returncode).name}"
        except ValueError:  # one of the real-time signals
            return f"it was ended by signal {-returncode}"
    later = ", which means that it should be run again later" if returncode == RETRY_LATER else ""
    return f"it exited with status {returncode}{later}"


def _show(line: bytes) -> str:
    text = repr(line[:80].decode("utf-8", errors="replace"))
    return text if len(line) <= 80 else f"{text}..."
