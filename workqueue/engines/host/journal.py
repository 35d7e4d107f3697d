"""4 host journal: the file of one key that is its lock, and says where its run stands.

Who opens it for a run takes its lock without waiting, and then looks whether the file still has its name: the last run
removes the file while it holds the lock, so a lock on a file without a name protects nothing. Who reads it tries a
shared lock, for a moment, *before* each read: no lock, and somebody makes the run; a lock, and no end in what is read
then, and whoever made it is dead, with its program. Readers open it for reading alone: a change of it is then always
its owner's.

It is no log, which would grow with all that a program prints: it has a place for each thing there is to say (see
`record`), and what is said last stands there. So it is as short after a week as after a second, and who comes
late reads as much as who came first. Each place has the number of the run that it is about, a new one with each
beginning: what is left of a run that died, or of a try that failed, says nothing of the next. A frame that is read
while it is written has the wrong checksum; whoever watches the file is told again when it is written.

The lock is that of a descriptor for reading alone: the program inherits it, and must not be able to write here. What
writes is another, which nobody inherits; it is locked in a way of its own, since a program can free what it inherits.
"""

import contextlib
import errno
import logging
import os
import secrets
import time
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.engines.host.record import HEAD_BYTES, Framed, Mark, Record, decode, encode, length_of
from workqueue.errors import StorageError, reason_of
from workqueue.progress import Progress, WaitsAgain
from workqueue.storage.disk import KEY
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of, is_kept, let_go, try_keep, try_lock, unlock
from workqueue.system.own_files import make_directory, open_directory, open_file

logger = logging.getLogger("workqueue")

#: Where the places begin: the run that is under way, whether it is being cancelled, how it ended, where it stands; and
#: an end with a long error. Nearly always all but the last are in the first page: one read, and one block of the disk.
#: A message is cut to a line of 64 KiB, an error to as much; one byte of either takes six in JSON at most.
_START_AT: Final = 0
_CANCEL_AT: Final = 128
_END_AT: Final = 256
_STATE_AT: Final = 1280
_LONG_END_AT: Final = 512 * 1024
_MAX_FRAME_BYTES: Final = _LONG_END_AT - _STATE_AT

_PAGE: Final = 4096

#: How often the lock is tried before it is taken for held: a reader's look holds it for some microseconds.
_TRIES: Final = 3
_TRY_SECONDS: Final = 0.0005

#: How often a journal may lose its name between our opening it and our lock; each time somebody's run has ended.
_MAX_TURNS: Final = 1000


class Journals:
    """The journals of one storage. Callable from any thread and any number of processes.

    Args:
        directory: where they are; made by `prepare`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._access = os.O_RDONLY  # that of the locked descriptor

    def prepare(self) -> None:
        """Make the directory.

        Raises:
            StorageError: it cannot be made.
        """
        try:
            make_directory(self.directory)
        except OSError as err:
            raise StorageError(f"Cannot make the directory {self.directory}: {reason_of(err)}") from err

    def lead(self, key: str) -> "Lead | None":
        """Take a key's lock, to make its run; None when somebody has it.

        Raises:
            StorageError: there can be no such file.
        """
        path = self.directory / key
        try:
            for _ in range(_MAX_TURNS):
                try:
                    fd = open_own(lambda: open_file(path, self._access | os.O_CREAT))
                except FileNotFoundError:  # somebody has cleaned up too well
                    self.prepare()
                    continue
                try:
                    is_locked = _try_hard(fd)
                    is_file = is_file_of(fd, path)
                    if is_locked and is_file:
                        return Lead(path, fd, has_own_lock=self._access == os.O_RDONLY)
                except BlockingIOError:  # somebody has it, whose program has freed the other lock
                    unlock(fd)
                    close_own(fd)
                    return None
                except BaseException as err:
                    close_own(fd)
                    if isinstance(err, OSError) and err.errno == errno.EBADF and self._access == os.O_RDONLY:
                        # A network file system makes a lock of another kind of it, for which a file must be open for
                        # writing, and which is in the way of the other lock. Better than none.
                        self._access = os.O_RDWR
                        continue
                    raise
                # Without a look by whom it is locked, if not by a file that has lost its name: that run is over.
                if is_locked:
                    unlock(fd)
                close_own(fd)
                if is_file:
                    return None
        except OSError as err:
            raise StorageError(f"Cannot lock {path}: {reason_of(err)}") from err
        raise StorageError(f"Cannot lock {path}: whenever it is opened, it is removed before it is locked")

    def reader(self, key: str) -> "Reader | None":
        """Read a key's journal; None when there is none."""
        # Not a Path, which takes longer to make than the kernel to say that there is none; each request looks twice.
        path = f"{self.directory}/{key}"
        try:
            return Reader(open_own(lambda: open_file(path, os.O_RDONLY)))
        except OSError:
            return None

    def is_led(self, key: str) -> bool:
        """Whether somebody, here or elsewhere, makes this key's run at this moment, and is not to cancel it."""
        reader = self.reader(key)
        if reader is None:
            return False
        with reader, contextlib.suppress(OSError):  # who cannot read it waits for a turn, and is told then
            is_led, records = reader.look()
            return is_led and bool(records) and not _is_cancelled(records)
        return False

    def mark_cancelled(self, key: str) -> None:
        """Note in the journal of the run that is under way, if one is, that it is being cancelled. It never raises."""
        with contextlib.suppress(OSError):
            fd = open_file(self.directory / key, os.O_RDWR)
            try:
                start = decode(os.pread(fd, _CANCEL_AT, _START_AT))
                if start is not None:
                    _write(fd, _CANCEL_AT, start.run, Mark.CANCEL)
            finally:
                os.close(fd)

    def sweep(self) -> None:
        """Remove the journals of dead processes, and nothing else. It never raises."""
        try:
            fd = open_directory(self.directory)
        except OSError:
            return
        try:
            keys = list(filter(KEY.fullmatch, os.listdir(fd)))  # noqa: PTH208 - a Path knows of no open directory
        except OSError:
            return
        finally:
            os.close(fd)
        for key in keys:
            with contextlib.suppress(OSError, StorageError):
                lead = self.lead(key)
                if lead is not None:
                    lead.close()


class Lead:
    """The right to make a key's run, and its journal. Used by the thread that makes the run; closed by it.

    Args:
        path: the journal.
        fd: the same, open for reading, and locked; closed by this, unless it raises.
        has_own_lock: lock it in the way that a program cannot undo, too.

    Raises:
        OSError: it cannot be written to.
    """

    def __init__(self, path: Path, fd: int, *, has_own_lock: bool = True) -> None:
        self._path = path
        self._run = ""
        #: The descriptor that is locked, for the program to inherit; nobody can write by it.
        self.fd = fd
        self._log = open_own(lambda: open_file(path, os.O_WRONLY))
        try:
            status = os.fstat(fd)
            if not os.path.samestat(os.fstat(self._log), status):
                raise OSError(errno.ESTALE, "Another file has taken its name")
            if has_own_lock and not try_keep(self._log):
                raise BlockingIOError(errno.EWOULDBLOCK, "Its program has unlocked it, and is still guarded")
            if status.st_size:
                os.ftruncate(self._log, 0)  # what a dead run said, or another program
        except BaseException:
            close_own(self._log)
            raise

    def start(self) -> None:
        """Tell the others that the run begins, after one that died perhaps."""
        self._run = secrets.token_hex(8)
        _write(self._log, _START_AT, self._run, Mark.START)

    def report(self, report: Progress | WaitsAgain) -> None:
        """Tell the others where it stands, or how it ended."""
        is_end = isinstance(report, Progress) and report.returncode is not None
        _write(self._log, _END_AT if is_end else _STATE_AT, self._run, report)

    def close(self) -> None:
        """Let go of the key; others find what was written, or, without an end, may make the run themselves."""
        # While it is locked: who comes next must not find its own file removed.
        with contextlib.suppress(OSError):
            self._path.unlink()
        # Not only closed: a program that is just being started has a copy for a moment, a daemon that it left for ever.
        with contextlib.suppress(OSError):
            unlock(self.fd)
        let_go(self._log)
        close_own(self._log)
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
        self._run: str | None = None
        self._seen: dict[int, Framed] = {}
        #: Whether the run was being cancelled by the first look.
        self.is_late: bool | None = None

    def look(self) -> Look:
        """Read what is new. Raises OSError when it cannot."""
        is_led = not self._is_free()
        records = self._read()
        if self.is_late is None:
            self.is_late = _is_cancelled(records)
        return Look(is_led, records)

    def _is_free(self) -> bool:
        if not try_lock(self._fd, shared=True):
            return False
        unlock(self._fd)
        return not is_kept(self._fd)

    def _read(self) -> list[Record]:
        end = os.pread(self._fd, _PAGE, _LONG_END_AT)  # first: what is read of the state is then the last before it
        page = os.pread(self._fd, _PAGE, 0)
        records: list[Record] = []
        start = decode(page[_START_AT:_CANCEL_AT])
        if start is not None and start.record is Mark.START and start.run != self._run:
            self._run = start.run
            records.append(Mark.START)
        frames = (
            (_CANCEL_AT, page[_CANCEL_AT:_END_AT]),
            (_STATE_AT, self._whole(page[_STATE_AT:], _STATE_AT)),
            (_END_AT, page[_END_AT:_STATE_AT]),
            (_LONG_END_AT, self._whole(end, _LONG_END_AT)),
        )
        records += [record for place, frame in frames if (record := self._news(place, frame)) is not None]
        return records

    def _whole(self, frame: bytes, place: int) -> bytes:
        """The frame, with as much of it as its head says."""
        n_bytes = HEAD_BYTES + length_of(frame)
        if len(frame) >= n_bytes or n_bytes > _MAX_FRAME_BYTES:
            return frame
        return os.pread(self._fd, n_bytes, place)

    def _news(self, place: int, frame: bytes) -> Record | None:
        """What a place says of this run, unless it said the same before."""
        framed = decode(frame) if frame else None
        if framed is None or framed.run != self._run or framed == self._seen.get(place):
            return None
        if not _belongs(framed.record, place):
            return None
        self._seen[place] = framed
        return framed.record

    def close(self) -> None:
        """Stop reading."""
        close_own(self._fd)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _belongs(record: Record, place: int) -> bool:
    """Whether that is the place for such a record."""
    if isinstance(record, Mark):
        return record is Mark.CANCEL and place == _CANCEL_AT
    is_end = isinstance(record, Progress) and record.returncode is not None
    return place in (_END_AT, _LONG_END_AT) if is_end else place == _STATE_AT


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


def _write(fd: int, place: int, run: str, record: Record) -> None:
    frame = encode(run, record)
    if place == _END_AT and len(frame) > _STATE_AT - _END_AT:
        place = _LONG_END_AT
    if len(frame) > _MAX_FRAME_BYTES:  # no program's message or error is so long; then the others do without
        return
    # A full disk costs the others the progress of this run, and no more than that.
    with contextlib.suppress(OSError):
        os.pwrite(fd, frame, place)
