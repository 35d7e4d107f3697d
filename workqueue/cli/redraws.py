r"""redraws: bytes whose lines end with ``\n`` or ``\r`` -> progress, and the rest as it was; pure."""

import re
from collections.abc import Iterator
from typing import Final

from workqueue.cli.adapters import MAX_BYTES, Adapter
from workqueue.progress import Progress

#: A longer line is passed on as it comes.
_MAX_HELD_BYTES: Final = 64 * 1024

# A "\r" that comes last may be half of an end.
_END: Final = re.compile(rb"\r\n|\r(?!\Z)|\n")

# It draws nothing: it clears a line, or moves the cursor.
_BLANK: Final = re.compile(rb"(?:[ \t]|\x1b\[[0-9;]{0,16}[A-Za-z])*")


class Redraws:
    """One of a command's two streams. Not thread-safe: use it from one thread.

    Args:
        adapter: reads the lines; it may read another stream, too.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._partial = b""
        self._is_long = False
        self._peeked = b""
        # Whether the last line that was not blank told progress: then blank ones belong to its drawing.
        self._is_drawing = False
        self._is_new_row = False
        self.last_line = b""
        """The last line that showed progress."""

    def feed(self, data: bytes) -> tuple[Progress | None, bytes]:
        """Take the next bytes; return the newest progress in them, if any, and what is no progress."""
        newest: Progress | None = None
        rest = []
        for line, end in self._lines(data):
            progress = self._read(line, is_whole=True)
            newest = progress or newest
            if _BLANK.fullmatch(line):
                if not (self._is_drawing or end == b"\r"):
                    rest.append(line + end)
            else:
                self._is_drawing = progress is not None
                if not self._is_drawing:
                    rest.append(line + end)
            if line or end != b"\r":
                self._is_new_row = end.endswith(b"\n")
            self._peeked = b""
        return self._peek() or newest, b"".join(rest)

    def close(self) -> tuple[Progress | None, bytes]:
        """Take the end of the stream; return the same of the line that has not ended."""
        partial, self._partial = self._partial, b""
        progress = self._read(partial.removesuffix(b"\r"), is_whole=True)
        is_rest = progress is None and not (_BLANK.fullmatch(partial) and self._is_drawing)
        return progress, partial if is_rest else b""

    def _lines(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Lines with their ends, and pieces of a long one, with none; keeps what has not ended."""
        data = self._partial + data
        done = 0
        for end in _END.finditer(data):
            line, done = data[done : end.start()], end.end()
            yield line, end[0]
            self._is_long = False
        self._partial = data[done:]
        if len(self._partial) > _MAX_HELD_BYTES:
            self._is_long = True
            yield self._partial, b""
            self._partial = b""

    def _peek(self) -> Progress | None:
        """Read the line that has not ended: a bar is drawn after a carriage return, and ends with the next one."""
        if self._partial == self._peeked:
            return None
        self._peeked = self._partial
        line = self._partial.removesuffix(b"\r")
        return self._read(line, is_whole=line != self._partial)

    def _read(self, line: bytes, *, is_whole: bool) -> Progress | None:
        if not line or self._is_long or len(line) > MAX_BYTES:
            return None
        text = line.decode("utf-8", errors="replace")
        progress = self._adapter.read(text, is_whole=is_whole, is_new_row=self._is_new_row)
        if progress is not None:
            self.last_line = line
        return progress
