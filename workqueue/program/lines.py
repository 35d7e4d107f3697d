r"""5 lines: bytes in pieces of any size -> lines, each ended by ``\n``, ``\r\n`` or ``\r``; pure.

`UniversalNewlines` makes ``\n`` of all three, `LineSplitter` cuts there. They are two, as of a read of thousands of
lines `workqueue.program.protocol` looks at the last ones alone.
"""

import re
from typing import Final

#: What a pipe holds on Linux, and a hundred times what one would show a person.
MAX_LINE_BYTES: Final = 64 * 1024

_BOM: Final = b"\xef\xbb\xbf"

# Numbers, since bytes are searched for one in a third of the time.
_NEWLINE: Final = ord("\n")
_RETURN: Final = ord("\r")

# Carriage returns that end an empty line.
_IDLE_RETURNS: Final = re.compile(rb"(?<=[\r\n])\r+")


def universal_newlines(data: bytes, before: int = _NEWLINE) -> bytes:
    r"""Make ``\n`` of each end of a line in what follows the byte `before`.

    tqdm, curl, ffmpeg and wget go back with ``\r`` to draw their line anew, before they draw it or after. So a ``\r``
    ends a line if there is anything on it, and otherwise stands for nothing; a ``\n`` straight after it belongs to it.
    All other ``\n`` end a line, even an empty one.
    """
    if before == _RETURN:
        data = data.removeprefix(b"\n")
    if _RETURN not in data:
        return data
    data = data.replace(b"\r\n", b"\r")
    if before in (_RETURN, _NEWLINE):
        data = data.lstrip(b"\r")
    if b"\r\r" in data or b"\n\r" in data:  # rare, and the expression takes longer than all the rest
        data = _IDLE_RETURNS.sub(b"", data)
    return data.replace(b"\r", b"\n")


class UniversalNewlines:
    r"""The same for pieces of any size, and without a byte order mark at the very beginning.

    Not thread-safe: one owner.
    """

    def __init__(self) -> None:
        self._mark: bytes | None = b""  # what may become a byte order mark; None: the beginning is over
        self._last = _NEWLINE

    def feed(self, data: bytes) -> bytes:
        r"""Take the next bytes; return them with no end of a line but ``\n``."""
        if self._mark is not None:
            data = self._pass_over_mark(self._mark + data)
        if not data:
            return data
        before, self._last = self._last, data[-1]
        return universal_newlines(data, before)

    def skip(self, data: bytes) -> None:
        """Take the next bytes, not empty, which somebody else translates."""
        self._mark = None
        self._last = data[-1]

    def finish(self) -> bytes:
        """What was held back, as it might have become a byte order mark; there is no more to come."""
        held, self._mark = self._mark or b"", None
        return held

    def _pass_over_mark(self, data: bytes) -> bytes:
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._mark = data
            return b""
        self._mark = None
        return data.removeprefix(_BOM)


class LineSplitter:
    r"""Cuts bytes, in pieces of any size, into lines at each ``\n``. Not thread-safe: one owner.

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
