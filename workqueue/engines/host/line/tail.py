"""4 host line tail: the log, read on by one that has no part in it: it writes nothing, and keeps nothing open."""

import os
from pathlib import Path
from typing import Final

from workqueue.engines.host.line.log import name_of, numbers_in
from workqueue.engines.host.line.record import MAX_LINE, Seal, decode
from workqueue.engines.host.line.state import Line
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.own_files import open_file

_READ_BYTES: Final = 256 * 1024

#: What is longer, before what was read of it, no processes that share a storage have said.
_MAX_READ: Final = 64 * 1024 * 1024

#: How often the log may be replaced while it is read.
_MAX_TURNS: Final = 100


class Tail:
    """The line, as the log has it. Used by one thread at a time.

    Args:
        directory: where the log is, if it is there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._begin((0, 0, 0))

    def read(self) -> Line:
        """The line at this moment, to be looked at until the next call.

        Raises:
            OSError: it cannot be read.
        """
        for _ in range(_MAX_TURNS):
            try:
                number = max(numbers_in(self._directory), default=0)
                if not number:
                    break
                self._read_on(number)
            except FileNotFoundError:  # sealed and removed, or nobody has ever been there
                continue
            # One that was sealed meant the same as what the next begins with, which may not be there yet.
            if not self._is_sealed or max(numbers_in(self._directory), default=0) == number:
                return self._line
        self._begin((0, 0, 0))
        return self._line

    def _begin(self, file: tuple[int, int, int]) -> None:
        self._file = file
        self._line = Line()
        self._offset, self._text, self._is_sealed = 0, b"", False

    def _read_on(self, number: int) -> None:
        fd = open_own(lambda: open_file(self._directory / name_of(number), os.O_RDONLY))
        try:
            status = os.fstat(fd)
            file = (number, status.st_dev, status.st_ino)
            if file != self._file or status.st_size < self._offset:
                self._begin(file)
            end = min(status.st_size, self._offset + _MAX_READ)
            while not self._is_sealed and self._offset < end:
                self._take(os.pread(fd, min(_READ_BYTES, end - self._offset), self._offset))
        finally:
            close_own(fd)

    def _take(self, data: bytes) -> None:
        self._offset += len(data) or _MAX_READ  # it was cut meanwhile
        *lines, rest = (self._text + data).split(b"\n")
        self._text = rest[: MAX_LINE + 1]
        for line in lines:
            record = decode(line) if line else None
            if isinstance(record, Seal):
                self._is_sealed = True
                return
            if record is not None:
                self._line.apply(record)
