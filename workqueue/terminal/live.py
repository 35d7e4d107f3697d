"""live: text -> one line of a terminal, which each new text overwrites.

Use it where `workqueue.terminal.bar` cannot be used, because something else drives the loop. It needs no library, and
only carriage returns and blanks, so it works on any terminal.
"""

import os
from typing import Final, TextIO

from workqueue.terminal.width import cut_to_width, width_of

#: The width that is assumed of a terminal that does not tell its own.
_WIDTH: Final = 80


class LiveLine:
    """One line at the cursor. Not thread-safe: use it from one thread.

    Args:
        file: the terminal, such as sys.stderr.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._shown = ""

    def show(self, text: str) -> None:
        """Overwrite the line with this text, cut to the width of the terminal."""
        # One column less: a terminal goes to the next line after the last column.
        text = cut_to_width(text, self._width() - 1)
        if text == self._shown:
            return
        blanks = " " * max(0, width_of(self._shown) - width_of(text))
        self._write(f"\r{text}{blanks}")
        self._shown = text

    def clear(self) -> None:
        """Make the line empty, and put the cursor at its beginning."""
        if self._shown:
            self._write(f"\r{' ' * width_of(self._shown)}\r")
            self._shown = ""

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
        except UnicodeEncodeError:
            encoding = self._file.encoding or "ascii"
            self._file.write(text.encode(encoding, errors="replace").decode(encoding))
        self._file.flush()

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._file.fileno()).columns or _WIDTH
        except (OSError, ValueError):
            return _WIDTH
