"""4 host journal: the file of one key that is its lock, and says where its run stands.

Who opens it for a run takes its lock without waiting, and then looks whether the file still has its name: the last run
removes the file while it holds the lock, so a lock on a file without a name protects nothing. Who reads it tries a
shared lock, for a moment, *before* each read: no lock, and somebody makes the run; a lock, and no end in what is read
then, and whoever made it is dead, with its program. Readers open it for reading alone: a change of it is then always
its owner's.

It is no log, which would grow with all that a program prints, but has a place for each thing there is to say: see
`places`. So it is as short after a week as after a second, and who comes late reads as much as who came first. What a
place says is of the run with that number, and each beginning has a new one: what is left of a run that died, or of a
try that failed, says nothing of the next. A frame that is read while it is written has the wrong checksum; whoever
watches the file is told again when it is written.

The lock is that of a descriptor for reading alone: the program inherits it, and must not be able to write here. What
writes is another, which nobody inherits; it is locked in a way of its own, since a program can free what it inherits.
"""

import contextlib
import errno
import logging
import os
import time
from pathlib import Path
from typing import Final

from workqueue.engines.host.lead import Lead
from workqueue.engines.host.places import CANCEL_AT, START_AT, write
from workqueue.engines.host.reader import Reader, is_cancelled
from workqueue.engines.host.record import Mark, decode
from workqueue.errors import StorageError, reason_of
from workqueue.storage.disk import KEY
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of, try_lock, unlock
from workqueue.system.own_files import make_directory, open_directory, open_file

logger = logging.getLogger("workqueue")

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

    def lead(self, key: str) -> Lead | None:
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

    def reader(self, key: str) -> Reader | None:
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
            return is_led and bool(records) and not is_cancelled(records)
        return False

    def is_locked(self, key: str) -> bool:
        """Whether anything lives of a run of this key.

        Raises:
            OSError: nobody can tell.
        """
        try:
            fd = open_own(lambda: open_file(f"{self.directory}/{key}", os.O_RDONLY))
        except FileNotFoundError:
            return False
        with Reader(fd) as reader:
            return not reader.is_free()

    def mark_cancelled(self, key: str) -> None:
        """Note in the journal of the run that is under way, if one is, that it is being cancelled. It never raises."""
        with contextlib.suppress(OSError):
            fd = open_file(self.directory / key, os.O_RDWR)
            try:
                start = decode(os.pread(fd, CANCEL_AT, START_AT))
                if start is not None:
                    write(fd, CANCEL_AT, start.run, Mark.CANCEL)
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


def _try_hard(fd: int) -> bool:
    for _ in range(_TRIES - 1):
        if try_lock(fd):
            return True
        time.sleep(_TRY_SECONDS)
    return try_lock(fd)
