"""stdout: the lines of the contract, one at a time, whatever else becomes of the program's stdout."""

from __future__ import annotations

import os
import sys
from _thread import RLock
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Seconds between two lines of a loop. A queue tells its clients of no more than 20 events a second either.
GAP_SECONDS: Final = 0.05

#: Linux writes that many bytes to a pipe in one piece (pipe(7), PIPE_BUF): lines of several processes never mix.
MAX_LINE_BYTES: Final = 4096

#: What a shell reports of a program that SIGPIPE ended.
_NOBODY_READS: Final = 128 + 13


class Stdout:
    """Writes lines of progress to what a descriptor stands for at this moment. Any thread may use it.

    It holds a duplicate: a library may close descriptor 1, or put another file there for a while.

    Args:
        fd: the descriptor; without one that is open, lines are dropped.
    """

    def __init__(self, fd: int) -> None:
        self._fds = [fd]
        self._file = _identity(fd)
        if self._file is not None:
            self._fds.insert(0, os.dup(fd))
        # Guards what is below, and the order of the lines: held while one is written, since otherwise a thread that
        # was overtaken would write a lower fraction after a higher one. It is reentrant for the sake of a signal
        # handler that says where things stand.
        self._lock = RLock()
        self._reached = 0.0
        self._last_line = b""
        self.message: str | None = None
        """The last one."""
        self._next_at = 0.0

    @property
    def is_due(self) -> bool:
        """Whether a line of a loop would be written now."""
        return monotonic() >= self._next_at

    def say(self, fraction: float, message: str | None) -> None:
        """Write a line now."""
        with self._lock:
            self._reached = fraction
            self.message = message
            self._write(_line(fraction, message))

    def advance(self, fraction: float, message: str | None) -> None:
        """Write a line now, with a fraction that is no lower than the last one; not the same line again."""
        with self._lock:
            self._reached = max(self._reached, fraction)
            self.message = message
            line = _line(self._reached, message)
            if line != self._last_line:
                self._write(line)

    def renew_lock(self) -> None:
        """Take a lock that nobody holds, in a forked child: a thread of the parent may have held the other."""
        self._lock = RLock()

    def _write(self, line: bytes) -> None:
        self._next_at = monotonic() + GAP_SECONDS
        self._last_line = line
        fd = self._fd()
        if fd is not None:
            try:
                _write_all(fd, line)
            except BrokenPipeError:
                _end_quietly()

    def _fd(self) -> int | None:
        # A program that closes all descriptors above 2, as daemons do, may get the number of ours for its output file.
        if self._file is None:
            return None
        return next((fd for fd in self._fds if _identity(fd) == self._file), None)


def claim_stdout() -> None:
    """From now on, what anybody but this module prints to stdout goes to stderr.

    A stray ``print``, of the program or of a library, also of one in C, or of a command that the program runs, would be
    a bad line. Call it first, before anything is printed. Lines of progress go where they went.
    """
    if sys.stdout is not None:
        sys.stdout.flush()
    try:
        os.dup2(2, 1)
    except OSError:  # it was started without a stderr
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _line(fraction: float, message: str | None) -> bytes:
    text = repr(round(fraction, 4))
    if message is not None:
        # What ends a line, for anybody, and tabs: the first one in a line ends the fraction.
        text += "\t" + " ".join(message.splitlines()).replace("\t", " ")
    # File names may hold bytes that are no text; such a name is still told, but for these.
    data = text.encode("utf-8", "replace")
    if len(data) >= MAX_LINE_BYTES:
        data = data[: MAX_LINE_BYTES - 1].decode("utf-8", "ignore").encode()
    return data + b"\n"


def _write_all(fd: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:  # whoever shares the pipe has made it so
            import select  # noqa: PLC0415 - hardly any program needs it

            select.select([], [fd], [])


def _end_quietly() -> None:
    """Nobody reads any more, so nobody waits for the result: end as other programs do, but with cleaning up."""
    null = os.open(os.devnull, os.O_WRONLY)
    # Else the interpreter would complain when it flushes sys.stdout at its end.
    os.dup2(null, 1)
    os.close(null)
    raise SystemExit(_NOBODY_READS)


#: This program's.
STDOUT: Final = Stdout(1)

os.register_at_fork(after_in_child=STDOUT.renew_lock)
