"""4 host line log: the files in which processes say what becomes of their tasks, in one order for all.

Appended to with O_APPEND, one write a time, and read on by everybody. Its number is in a file's name; the one with the
highest counts. One that has grown is sealed, and the next made from what it meant: under another name first, and linked
to its own, which is for the first that does it. All make the same.
"""

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from workqueue.engines.host.line.record import MAX_LINE, Record, Seal, decode, encode
from workqueue.engines.host.line.state import Line
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of, try_lock
from workqueue.system.own_files import open_file

#: A log that has grown so far behind what it began with is sealed.
MAX_BYTES: Final = 1024 * 1024

#: What is longer, before what it began with, no processes that share a storage have said.
_MAX_READ: Final = 64 * 1024 * 1024

_READ_BYTES: Final = 256 * 1024

_NAME: Final = re.compile("log-([0-9]{10})")
_TEMPORARY: Final = re.compile("new-[0-9a-f]{16}")

#: How often a log may be sealed or removed while it is opened.
_MAX_TURNS: Final = 100


class Lost(OSError):
    """The log was removed, moved or cut, by nobody who shares it."""

    def __init__(self) -> None:
        super().__init__(errno.ESTALE, "The log of the line was removed")


class Log:
    """One process's view of the log. Used by one thread at a time.

    Args:
        directory: where it is; it exists.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fd: int | None = None
        self.number = 0
        self.line = Line()
        self._offset = 0
        self._text = b""
        self._began_with = 0
        self._own: list[Record] = []  # appended since the last read
        self._n_own_bytes = 0
        self.is_sealed = False
        try:
            self._open_newest()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The file's name."""
        return name_of(self.number)

    def append(self, records: Iterable[Record]) -> None:
        """Say something.

        Raises:
            OSError: it was not said, or in part.
        """
        records = list(records)
        data = encode_all(records)
        if self._fd is None:
            raise Lost
        if os.write(self._fd, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._own += records
        self._n_own_bytes += len(data)

    def read(self) -> list[Record]:
        """What was said since the last call, to be applied to `line` by the caller; up to a seal.

        Raises:
            OSError: it cannot be read.
            Lost: it is not there any more.
        """
        if self._fd is None:
            raise Lost
        if self.is_sealed:  # whatever comes behind
            return []
        status = os.fstat(self._fd)
        if not 0 <= status.st_size - self._offset <= _MAX_READ:
            raise Lost
        # Looked at before what was said: a seal is there before the name goes.
        has_name = is_file_of(self._fd, self._directory / self.name)
        own, n_own_bytes = self._own, self._n_own_bytes
        self._own, self._n_own_bytes = [], 0
        if status.st_size == self._offset + n_own_bytes and has_name and not self._text:
            self._offset = status.st_size  # nobody else has said anything: that is known without reading
            return self._until_seal(own)
        records = self._read_on()
        if not has_name and not self.is_sealed:
            raise Lost
        return records

    def _read_on(self) -> list[Record]:
        assert self._fd is not None
        records: list[Record] = []
        before = self._offset, self._text
        try:
            while not self.is_sealed and (data := os.pread(self._fd, _READ_BYTES, self._offset)):
                self._offset += len(data)
                *lines, rest = (self._text + data).split(b"\n")
                # What is longer is no record; the next line begins with a line break of its own.
                self._text = rest[: MAX_LINE + 1]
                records += self._until_seal(record for line in lines if line and (record := decode(line)) is not None)
        except OSError:
            self._offset, self._text = before  # what was read is read again
            raise
        return records

    def _until_seal(self, records: Iterable[Record]) -> list[Record]:
        found: list[Record] = []
        for record in records:
            if isinstance(record, Seal):
                self.is_sealed = True
                break
            found.append(record)
        return found

    @property
    def is_long(self) -> bool:
        """Whether it is to be sealed."""
        return self._offset > MAX_BYTES + 2 * self._began_with

    def go_on(self) -> "Log":
        """Make the next, after a seal, of `line`, which has all that came before it; return the newest there is.

        This one is closed then; not when it raises.

        Raises:
            OSError: it cannot be made or opened; it may be tried again.
            Lost: the directory is not there any more.
        """
        try:
            self._make_next(self.number + 1, self.line)
            with contextlib.suppress(OSError):
                (self._directory / self.name).unlink()
            newest = Log(self._directory)
        except FileNotFoundError:
            raise Lost from None
        self.close()
        return newest

    def close(self) -> None:
        """Read no more. Idempotent."""
        fd, self._fd = self._fd, None
        if fd is not None:
            close_own(fd)

    def _make_next(self, number: int, line: Line) -> None:
        if self._newest() >= number:  # somebody has
            return
        data = encode_all(line.dump())
        number = self._free_from(number)
        for _ in range(_MAX_TURNS):
            if self._make(number, data):
                return
        raise OSError(errno.EBUSY, "The next log of the line is removed before it has its name")

    def _make(self, number: int, data: bytes) -> bool:
        """Return whether it is there now; not, when another has swept it away before it was locked."""
        temporary = self._directory / f"new-{secrets.token_hex(8)}"
        fd = open_own(lambda: open_file(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            try_lock(fd)  # so that it is not taken for a dead one's
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]
            try:
                os.link(temporary, self._directory / name_of(number))
            except FileExistsError:
                return True
            except FileNotFoundError:
                return False
            return True
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
            close_own(fd)

    def _open_newest(self) -> None:
        """Open the log that counts, and make the line of what it has said until now."""
        for _ in range(_MAX_TURNS):
            number = self._newest() or self._free_from(1)
            path = self._directory / name_of(number)
            fd = open_own(lambda path=path: open_file(path, os.O_RDWR | os.O_APPEND | os.O_CREAT))  # type: ignore[misc]
            try:
                # Made anew by us after others had made the next and removed it? Then that one is there.
                is_newest = self._newest() == number
            except BaseException:
                close_own(fd)
                raise
            if not is_newest:
                close_own(fd)
                continue
            self._use(fd, number)
            try:
                for record in self.read():
                    self.line.apply(record)
            except Lost:  # it has lost its name meanwhile; or nobody can read it, and it loses it now
                with contextlib.suppress(OSError):
                    if is_file_of(fd, path):
                        path.unlink()
                continue
            if not self.is_sealed:
                self._began_with = len(encode_all(self.line.dump()))
                self._remove_older()
                return
            self._make_next(number + 1, self.line)
            with contextlib.suppress(OSError):
                path.unlink()
        raise OSError(errno.EBUSY, "The log of the line is replaced whenever it is opened")

    def _use(self, fd: int, number: int) -> None:
        old, self._fd = self._fd, fd
        if old is not None:
            close_own(old)
        self.number = number
        self.line = Line()
        self._offset, self._text, self.is_sealed = 0, b"", False
        self._own, self._n_own_bytes = [], 0

    def _newest(self) -> int:
        """The highest number; 0 without any."""
        return max(self._numbers(), default=0)

    def _numbers(self) -> list[int]:
        return numbers_in(self._directory)

    def _remove_older(self) -> None:
        """Remove also one that was made, by us perhaps, after others had made it, sealed it and removed it.

        It never raises: what is left is removed another time.
        """
        with contextlib.suppress(OSError):
            for number in self._numbers():
                if number < self.number:
                    with contextlib.suppress(OSError):
                        (self._directory / name_of(number)).unlink()

    def _free_from(self, number: int) -> int:
        """This number, or the next one whose name is not that of something else than a file."""
        while self._is_something_else(self._directory / name_of(number)):
            number += 1
        return number

    @staticmethod
    def _is_something_else(path: Path) -> bool:
        try:
            return not stat.S_ISREG(path.lstat().st_mode)
        except FileNotFoundError:
            return False


def encode_all(records: Iterable[Record]) -> bytes:
    """What to append, to say all these."""
    return b"".join(map(encode, records))


def numbers_in(directory: Path) -> list[int]:
    """The numbers of the logs, which are files: what else has such a name is nobody's log."""
    with os.scandir(directory) as entries:
        found = [(_NAME.fullmatch(entry.name), entry) for entry in entries]
        return [int(match[1]) for match, entry in found if match and entry.is_file(follow_symlinks=False)]


def name_of(number: int) -> str:
    """The name of the log with this number."""
    return f"log-{number:010d}"


def sweep(directory: Path, number: int) -> None:
    """Remove what killed processes left of the making of logs before this one. It never raises."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):  # noqa: PTH208 - names are all that is wanted
            match = _NAME.fullmatch(name)
            if (match and int(match[1]) < number) or (_TEMPORARY.fullmatch(name) and _is_free(directory / name)):
                with contextlib.suppress(OSError):
                    (directory / name).unlink()


def _is_free(path: Path) -> bool:
    try:
        fd = open_own(lambda: open_file(path, os.O_RDONLY))
    except OSError:
        return False
    try:
        return try_lock(fd, shared=True)
    finally:
        close_own(fd)
