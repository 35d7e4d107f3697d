r"""5 protocol: bytes printed -> Progress; pure.

A program writes lines, ``0.25\n`` or ``0.25\tmessage\n``, in UTF-8, with a fraction in [0, 1]. It is never trusted: a
line may be endless, the fraction NaN, the message binary. What is no progress is counted and otherwise passed over, so
the last good progress stands. Nothing a program prints can say that it has finished.

Theory of operation: progress is a state, so of all the lines in one read only the last good one matters. `feed` looks
at a read's lines from the end and parses back to the first good one, but always the last LINES_LOOKED_AT, so that the
bad lines of a program that prints at human speed are all counted. A program that prints a million lines at once costs
little more than reading them.
"""

import re
from collections.abc import Callable
from typing import Final

from workqueue.progress import Progress

#: What a pipe holds on Linux, and a hundred times what one would show a person.
MAX_LINE_BYTES: Final = 64 * 1024

#: More lines than a program prints in the time of one read, unless it prints as fast as it can.
LINES_LOOKED_AT: Final = 32

# Escape sequences of terminals (ECMA-48 control sequences) go as a whole; of the rest go the control characters, the
# line and paragraph separators, and the marks that reverse the direction of what follows them on somebody's page.
_ESCAPES: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def parse_line(line: bytes) -> Progress | None:
    r"""Read one line, given without its ``\n``; None when it is no progress, or longer than MAX_LINE_BYTES."""
    fraction = _fraction(line)
    if fraction is None:
        return None
    _, tab, message = line.partition(b"\t")
    return Progress(fraction=fraction, message=_clean(message) if tab else None)


def _fraction(line: bytes) -> float | None:
    if len(line) > MAX_LINE_BYTES:
        return None
    try:
        fraction = float(line.partition(b"\t")[0])
    except ValueError:
        return None
    # NaN fails the comparison; abs() makes a zero of a minus zero.
    return abs(fraction) if 0.0 <= fraction <= 1.0 else None


def _clean(message: bytes) -> str:
    text = _ESCAPES.sub("", message.decode("utf-8", errors="replace"))
    return _CONTROLS.sub("", text.replace("\t", " "))


class LineSplitter:
    """Cuts bytes, in pieces of any size, into lines. Not thread-safe: one owner.

    A line longer than MAX_LINE_BYTES comes cut to one byte more than that, as soon as it is so long; what follows it
    up to its newline is skipped.
    """

    def __init__(self) -> None:
        self._partial = bytearray()
        self._is_skipping = False

    @property
    def unfinished(self) -> bytes:
        """The line that has begun and not ended."""
        return bytes(self._partial)

    def feed(self, data: bytes) -> list[bytes]:
        r"""Take the next bytes; return the lines they end, without their ``\n``."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[:1] = self._finish(lines[0])
        if len(data) > MAX_LINE_BYTES:  # else none of the lines between the first and the last can be longer
            lines = [line[: MAX_LINE_BYTES + 1] for line in lines]
        return lines + self._begin(rest)

    def skip_line(self) -> None:
        """Forget the line that has begun; what is fed next begins a new one."""
        self._partial.clear()
        self._is_skipping = False

    def _finish(self, end: bytes) -> list[bytes]:
        if self._is_skipping:
            self._is_skipping = False
            return []
        line = bytes(self._partial + end)
        self._partial.clear()
        return [line[: MAX_LINE_BYTES + 1]]

    def _begin(self, start: bytes) -> list[bytes]:
        if self._is_skipping:
            return []
        self._partial += start
        if len(self._partial) <= MAX_LINE_BYTES:
            return []
        line = bytes(self._partial[: MAX_LINE_BYTES + 1])
        self._partial.clear()
        self._is_skipping = True
        return [line]


class OutputParser:
    """Turns a program's stdout, in pieces of any size, into Progress. Not thread-safe: one owner.

    Args:
        on_bad_line: told of each line looked at that is no progress.
    """

    def __init__(self, on_bad_line: Callable[[bytes], None]) -> None:
        self._on_bad_line = on_bad_line
        self._splitter = LineSplitter()

    def feed(self, data: bytes) -> Progress | None:
        """Take the next bytes; return the newest progress among the lines they end, if there is any."""
        newest = None
        for i, line in enumerate(reversed(self._splitter.feed(self._worth_splitting(data)))):
            if newest is not None and i >= LINES_LOOKED_AT:
                break
            if _fraction(line) is None:
                self._on_bad_line(line)
            elif newest is None:
                newest = parse_line(line)
        return newest

    def _worth_splitting(self, data: bytes) -> bytes:
        """The last LINES_LOOKED_AT lines, when there are more and one of these is good; else all."""
        head, *tail = data.rsplit(b"\n", LINES_LOOKED_AT + 1)
        *lines, _ = tail or [b""]
        if len(lines) < LINES_LOOKED_AT or all(_fraction(line) is None for line in reversed(lines)):
            return data
        self._splitter.skip_line()
        return data[len(head) + 1 :]
