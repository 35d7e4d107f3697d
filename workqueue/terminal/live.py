"""live: text -> one line of a terminal, drawn anew each time; nothing anywhere else.

For where a loop is not ours to drive, as `workqueue.terminal.bar` does. Carriage returns and blanks draw it, no escape
sequences, so it works on any terminal.
"""

import os
import unicodedata
from typing import Final, TextIO

#: Of a terminal that does not say how wide it is.
_WIDTH: Final = 80


class LiveLine:
    """One line at the cursor. Not thread-safe: one owner.

    Args:
        file: where to, such as sys.stderr.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._shown = ""

    def show(self, text: str) -> None:
        """Draw this in place of what is there, cut to the terminal's width."""
        # One column less: a terminal goes to the next line after the last column.
        text = cut_to_width(text, self._width() - 1)
        if text == self._shown:
            return
        blanks = " " * max(0, width_of(self._shown) - width_of(text))
        self._write(f"\r{text}{blanks}")
        self._shown = text

    def clear(self) -> None:
        """Leave an empty line, with the cursor at its beginning."""
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


def width_of(text: str) -> int:
    """How many columns a text takes on a terminal."""
    return sum(map(_columns, text))


def cut_to_width(text: str, width: int) -> str:
    """As much of a text as fits, with an ellipsis in place of the rest."""
    if width_of(text) <= width:
        return text
    taken, columns = [], 1  # the ellipsis
    for character in text:
        columns += _columns(character)
        if columns > width:
            break
        taken.append(character)
    return "".join(taken) + "…" if width > 0 else ""


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
