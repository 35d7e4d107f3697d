r"""5 protocol: bytes printed -> Progress; pure.

A program writes lines, ``0.25\n`` or ``0.25\tmessage\n``, in UTF-8, with a fraction in [0, 1]. It is never trusted: a
line may be endless, the fraction NaN, the message binary. What is no progress is counted and otherwise passed over, so
the last good progress stands. Nothing a program prints can say that it has finished.

Theory of operation: progress is a state, so of all the lines in one read only the last good one matters. `feed` looks
at a read's lines from the end and parses back to the first good one, but always the last LINES_LOOKED_AT, so that the
bad lines of a program that prints at human speed are all counted. A program that prints a million lines at once costs
little more than reading them.
"""

from collections.abc import Callable
from typing import Final

from workqueue.program.escapes import plain_text
from workqueue.program.lines import MAX_LINE_BYTES, LineSplitter, UniversalNewlines, universal_newlines
from workqueue.progress import Progress

#: More lines than a program prints in the time of one read, unless it prints as fast as it can.
LINES_LOOKED_AT: Final = 32

# Python takes 0_1 for 1. A number, since bytes are searched for one in a third of the time.
_UNDERSCORE: Final = ord("_")


def parse_line(line: bytes) -> Progress | None:
    r"""Read one line, given without its ``\n``; None when it is no progress, or longer than MAX_LINE_BYTES.

    The fraction is a decimal number in ASCII, as C, Python and JavaScript print it: ``1``, ``.5``, ``0.25``, ``5e-05``.
    Blanks may stand around it and a sign before it. The decimal point is a point in every locale.
    """
    fraction = _fraction(line)
    return None if fraction is None else _progress(fraction, line)


def _progress(fraction: float, line: bytes) -> Progress:
    _, tab, message = line.partition(b"\t")
    return Progress(fraction=fraction, message=plain_text(message) if tab else None)


def _fraction(line: bytes) -> float | None:
    if len(line) > MAX_LINE_BYTES:
        return None
    number = line.partition(b"\t")[0]
    try:
        fraction = float(number)
    except ValueError:
        return None
    # NaN fails the comparison; abs() makes a zero of a minus zero.
    return abs(fraction) if 0.0 <= fraction <= 1.0 and _UNDERSCORE not in number else None


class OutputParser:
    """Turns a program's stdout, in pieces of any size, into Progress. Not thread-safe: one owner.

    Args:
        on_bad_line: told of each line looked at that is no progress.
    """

    def __init__(self, on_bad_line: Callable[[bytes], None]) -> None:
        self._on_bad_line = on_bad_line
        self._newlines = UniversalNewlines()
        self._splitter = LineSplitter()

    def feed(self, data: bytes) -> Progress | None:
        """Take the next bytes; return the newest progress among the lines they end, if there is any."""
        newest = None
        lines = self._splitter.feed(self._worth_splitting(data))
        for i, line in enumerate(reversed(lines)):
            if newest is not None and i >= LINES_LOOKED_AT:
                break
            if (fraction := _fraction(line)) is None:
                self._on_bad_line(line)
            elif newest is None:
                newest = _progress(fraction, line)
        return newest

    def finish(self) -> Progress | None:
        """The program has ended, and so has its last line: return its progress, if it is any."""
        line = last_line(self._newlines, self._splitter)
        progress = parse_line(line)
        if line and progress is None:
            self._on_bad_line(line)
        return progress

    def _worth_splitting(self, data: bytes) -> bytes:
        r"""The last LINES_LOOKED_AT lines, when there are more and one is good; else all. Each ends in ``\n``."""
        end = _last_lines(data)
        if end is not None:
            translated = universal_newlines(end)
            if translated is end or translated.count(b"\n") >= LINES_LOOKED_AT:  # else some were but a carriage return
                self._newlines.skip(end)
                self._splitter.skip_line()
                return translated
        translated = self._newlines.feed(data)
        end = None if translated is data else _last_lines(translated)
        if end is None:
            return translated
        self._splitter.skip_line()
        return end


def last_line(newlines: UniversalNewlines, splitter: LineSplitter) -> bytes:
    """Take out the line that has begun and will not end; empty when there is none, or nothing to be seen on it.

    Many programs show the cursor again, or reset the colours, before they end.
    """
    splitter.feed(newlines.finish())
    line = splitter.unfinished
    splitter.skip_line()
    return line if plain_text(line).strip() else b""


def _last_lines(data: bytes) -> bytes | None:
    r"""What follows the LINES_LOOKED_AT + 1st ``\n`` from the end, if one of these lines is good; else None."""
    head, *tail = data.rsplit(b"\n", LINES_LOOKED_AT + 1)
    *lines, _ = tail or [b""]
    if len(lines) < LINES_LOOKED_AT or all(_fraction(line) is None for line in reversed(lines)):
        return None
    return data[len(head) + 1 :]
