"""A real terminal of some columns, for a command that draws on it or asks there."""

import contextlib
import fcntl
import os
import pty
import select
import struct
import sys
import termios
from collections.abc import Iterator

PATIENCE_SECONDS = 20.0

COMMAND = [sys.executable, "-m", "workqueue"]


class Terminal:
    """A terminal of some columns, and what was written to it."""

    def __init__(self, columns: int) -> None:
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.shown = b""

    def read_until(self, text: bytes) -> None:
        """Until this is shown; it fails after PATIENCE_SECONDS, as where the command has ended."""
        while text not in self.shown:
            ready, _, _ = select.select([self._ours], [], [], PATIENCE_SECONDS)
            assert ready, self.shown
            self.shown += os.read(self._ours, 65536)

    def type(self, text: bytes) -> None:
        os.write(self._ours, text)

    def read_all(self) -> str:
        """All that is written until the last process that has the terminal open has ended."""
        os.close(self.theirs)
        self.theirs = -1
        with contextlib.suppress(OSError):  # Linux says so when the other end is closed
            while data := os.read(self._ours, 65536):
                self.shown += data
        return self.shown.decode()

    def close(self) -> None:
        for fd in (self._ours, self.theirs):
            if fd >= 0:
                os.close(fd)


@contextlib.contextmanager
def open_terminal(columns: int) -> Iterator[Terminal]:
    terminal = Terminal(columns)
    try:
        yield terminal
    finally:
        terminal.close()
