"""4 host journal: the file of one key that is lock and log at once.

Who opens it for a run takes its lock without waiting, and then looks whether the file still has its name: the last run
removes the file while it holds the lock, so a lock on a file without a name protects nothing. Who reads it tries a
shared lock, for a moment, *before* each read: no lock, and somebody makes the run; a lock, and no end in what is read
then, and whoever made it is dead, with its program. Readers open it for reading alone: a change of it is then always
its owner's.
"""

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.engines.host.record import Mark, Record, decode, encode
from workqueue.errors import StorageError
from workqueue.progress import Progress, WaitsAgain
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of, try_lock, unlock

logger = logging.getLogger("workqueue")

#: Progress is state: who comes late needs the last line, and a line is a few hundred bytes.
_TAIL_BYTES: Final = 64 * 1024

#: How often the lock is tried before it is taken for held: a reader's look holds it for some microseconds.
_TRIES: Final = 3
_TRY_SECONDS: Final = 0.0005


class Journals:
    """The journals of one storage. Callable from any thread and any number of processes.

    Args:
        directory: where they are; made by `prepare`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def prepare(self) -> None:
        """Make the directory.

        Raises:
            StorageError: it cannot be made.
        """
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as err:
            raise StorageError(f"Cannot make the directory {self.directory}: {err.strerror}") from err

    def lead(self, key: str) -> "Lead | None":
        """Take a key's lock, to make its run; None when somebody has it.

        Raises:
            StorageError: there can be no such file.
        """
        path = self.directory / key
        try:
            while True:
                try:
                    fd = open_own(lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
                except FileNotFoundError:  # somebody has cleaned up too well
                    self.prepare()
                    continue
                try:
                    is_locked = _try_hard(fd)
                    is_file = is_file_of(fd, path)
                except BaseException:
                    close_own(fd)
                    raise
                if is_locked and is_file:
                    return Lead(path, fd)
                # Without a look by whom it is locked, if not by a file that has lost its name: that run is over.
                if is_locked:
                    unlock(fd)
                close_own(fd)
                if is_file:
                    return None
        except OSError as err:
            raise StorageError(f"Cannot lock {path}: {err.strerror}") from err

    def reader(self, key: str) -> "Reader | None":
        """Read a key's journal; None when there is none."""
        # Not a Path, which takes longer to make than the kernel to say that there is none; each request looks twice.
        path = f"{self.directory}/{key}"
        try:
            return Reader(open_own(lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC)))
        except OSError:
            return None

    def is_led(self, key: str) -> bool:
        """Whether somebody, here or elsewhere, makes this key's run at this moment, and is not to cancel it."""
        reader = self.reader(key)
        if reader is None:
            return False
        with reader:
            is_led, records = reader.look()
            return is_led and bool(records) and not _is_cancelled(records)

    def mark_cancelled(self, key: str) -> None:
        """Note in the journal of the run that is under way, if one is, that it is being cancelled. It never raises."""
        with contextlib.suppress(OSError):
            fd = os.open(self.directory / key, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                _append(fd, Mark.CANCEL)
            finally:
                os.close(fd)

    def sweep(self) -> None:
        """Remove the journals of dead processes, and nothing else. It never raises."""
        try:
            paths = [path for path in self.directory.iterdir() if not path.name.startswith(".")]
        except OSError:
            return
        for path in paths:
            with contextlib.suppress(OSError, StorageError):
                lead = self.lead(path.name)
                if lead is not None:
                    lead.close()


class Lead:
    """The right to make a key's run, and its journal. Used by the thread that makes the run; closed by it."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self.fd = fd

    def start(self) -> None:
        """Tell the others that the run begins, after one that died perhaps."""
        _append(self.fd, Mark.START)

    def report(self, report: Progress | WaitsAgain) -> None:
        """Tell the others where it stands, or how it ended."""
        _append(self.fd, report)

    def close(self) -> None:
        """Let go of the key; others find what was written, or, without an end, may make the run themselves."""
        # While it is locked: who comes next must not find its own file removed.
        with contextlib.suppress(OSError):
            self._path.unlink()
        # Not only closed: a program that is just being started has a copy for a moment, a daemon that it left for ever.
        with contextlib.suppress(OSError):
            unlock(self.fd)
        close_own(self.fd)

    def __enter__(self) -> "Lead":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Look(NamedTuple):
    """What a reader found."""

    is_led: bool
    """Whether somebody makes the run; False: whoever made it is gone, and `records` has all it wrote."""

    records: list[Record]
    """What is new since the last look, in order."""


class Reader:
    """One process's reading of one journal. Used by one thread at a time; closed by it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._text = b""
        self._offset = max(0, os.fstat(fd).st_size - _TAIL_BYTES)
        #: Whether the run was being cancelled by the first look.
        self.is_late: bool | None = None

    def look(self) -> Look:
        """Read on."""
        is_led = not self._is_free()
        records = self._read()
        if self.is_late is None:
            self.is_late = _is_cancelled(records)
        return Look(is_led, records)

    def _is_free(self) -> bool:
        if not try_lock(self._fd, shared=True):
            return False
        unlock(self._fd)
        return True

    def _read(self) -> list[Record]:
        while data := os.pread(self._fd, _TAIL_BYTES, self._offset):
            self._offset += len(data)
            self._text += data
        *lines, self._text = self._text.split(b"\n")
        return decode(lines)

    def close(self) -> None:
        """Stop reading."""
        close_own(self._fd)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_cancelled(records: list[Record]) -> bool:
    """Whether the last run of which these tell is being cancelled."""
    for record in reversed(records):
        if isinstance(record, Mark):
            return record is Mark.CANCEL
    return False


def _try_hard(fd: int) -> bool:
    for _ in range(_TRIES - 1):
        if try_lock(fd):
            return True
        time.sleep(_TRY_SECONDS)
    return try_lock(fd)


def _append(fd: int, record: Record) -> None:
    # A full disk costs the others the progress of this run, and no more than that.
    with contextlib.suppress(OSError):
        os.write(fd, encode(record))
