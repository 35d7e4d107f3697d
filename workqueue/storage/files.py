"""1 and 5 files: a directory of whole, unchanging files, read by name while nobody may evict them.

Who reads a file holds a shared flock on it, and who evicts it needs an exclusive one, without waiting. A file's
modification time is that of its publication; its access time is set by hand, to when it was last wanted: file systems
are mounted so that reading alone does not change it.

Beside a file may lie what readers of an SQLite database left there: ``<name>-wal``, ``<name>-shm``, ``<name>-journal``.
That goes with the file, and before another gets its name: SQLite takes what lies beside a database for a part of it.
"""

import contextlib
import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workqueue.storage.base import StoredResult
from workqueue.storage.beside import Beside
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of, lock, try_lock

#: What SQLite makes beside a database: a write-ahead log with its index, a rollback journal.
_BESIDE: Final = ("-wal", "-shm", "-journal")

#: Not through a link, and without waiting for a pipe's other end.
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Files:
    """The files of one directory. Callable from any thread and any number of processes.

    Args:
        directory: an absolute path; it need not exist.
        pattern: what the names of our files look like, their first group the key. All others are left alone.
        details: of the files, by their names; they go with them. None: there are none.
    """

    def __init__(self, directory: Path, pattern: "re.Pattern[str]", details: Beside | None = None) -> None:
        self.directory = directory
        self._pattern = pattern
        self._details = details

    def path(self, name: str) -> Path:
        """Where the file of this name lies, if it is there."""
        return self.directory / name

    def status(self, name: str) -> os.stat_result | None:
        """That of the file; None without one. A link or a directory in its place is not ours."""
        try:
            # Not by a Path, which takes longer to make than the kernel to look; each request asks, a new one twice.
            status = os.lstat(f"{self.directory}/{name}")
        except OSError:
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def touch(self, name: str) -> None:
        """Note that the file is wanted; nothing happens without one."""
        with contextlib.suppress(OSError):
            fd = self._open(name)
            try:
                _touch(fd)
            finally:
                close_own(fd)

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[Path]:
        """The file, which is not evicted for as long as the context lasts.

        Raises:
            FileNotFoundError: there is none.
            OSError: nobody can tell, or it cannot be opened.
        """
        with self.held(name):
            yield self.path(name)

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[int]:
        """As `hold`, but a descriptor of the file."""
        path = self.path(name)
        while True:
            fd = self._open(name)
            try:
                # Where there are no locks, nobody evicts anything.
                with contextlib.suppress(OSError):
                    lock(fd, shared=True)
                # Whoever had it exclusively has removed it; then its name is another's, or nobody's.
                if not is_file_of(fd, path):
                    continue
                _touch(fd)
                yield fd
                return
            finally:
                close_own(fd)

    @contextlib.contextmanager
    def replacing(self, name: str) -> Iterator[None]:
        """For who gives this name to another file, or takes it from this one; what lies beside it is removed.

        If that is done, and the context does not raise, the details of this one go, too.

        Else an evictor, which has looked at the one and is about to remove what has its name, removes the other.
        """
        is_there, old = True, None
        with contextlib.ExitStack() as stack:
            try:
                old = os.fstat(stack.enter_context(self.held(name)))
            except FileNotFoundError:
                is_there = False
            except OSError:  # one that nobody evicts
                pass
            self._remove_beside(name)
            yield
            if is_there:
                self._remove_beside(name)  # a reader of the old one may have come meanwhile
            if old is not None:
                self._remove_details(name, old)

    def take(self, name: str) -> None:
        """Remove the file, also one that somebody holds: a reader that has it open reads it to its end.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be removed.
        """
        with self.replacing(name):
            self.path(name).unlink()

    def remove(self, name: str, *, seen: StoredResult | None = None) -> bool:
        """Remove the file unless somebody holds it; return whether it is gone.

        Args:
            name: which.
            seen: only this one, if nobody has used it since; not another that has taken its place. None: whichever.
        """
        path = self.path(name)
        try:
            fd = self._open(name)
        except FileNotFoundError:
            return True
        try:
            if not (try_lock(fd) and is_file_of(fd, path) and _is_as_seen(fd, seen)):
                return False
            # First: what is left, should this process die in between, goes with the file later.
            self._remove_beside(name)
            self._remove_details(name, os.fstat(fd))
            path.unlink()
            return True
        finally:
            close_own(fd)

    def remove_strays(self) -> None:
        """Remove what lies beside files that are not there any more, left by readers that came too late.

        Raises:
            OSError: the directory cannot be read.
        """
        for name, beside in self._names(_BESIDE):
            if self.status(name) is None:
                self._unlink(name + beside)
        if self._details is not None:
            self._details.remove_strays(self._etag)

    def names(self) -> list[str]:
        """The names of ours that are in the directory, whatever has them.

        Raises:
            OSError: the directory cannot be read.
        """
        return [name for name, _ in self._names(("",))]

    def _names(self, ends: tuple[str, ...]) -> list[tuple[str, str]]:
        try:
            found = os.listdir(self.directory)  # noqa: PTH208 - names are all that is wanted, of thousands
        except FileNotFoundError:
            return []
        named = ((name.removesuffix(end), end) for name in found for end in ends if name.endswith(end))
        return [(name, end) for name, end in named if self._pattern.fullmatch(name)]

    def _remove_beside(self, name: str) -> None:
        for beside in _BESIDE:
            self._unlink(name + beside)

    def _remove_details(self, name: str, status: os.stat_result) -> None:
        if self._details is not None:
            self._details.remove(name, etag_of(status))

    def _etag(self, name: str) -> str | None:
        status = self.status(name)
        return None if status is None else etag_of(status)

    def _unlink(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(f"{self.directory}/{name}")  # noqa: PTH108 - nearly always there is none; see `status`

    def entries(self) -> Iterator[tuple[str, StoredResult]]:
        """The name of each file, and what it is.

        Raises:
            OSError: the directory cannot be read.
        """
        for name in self.names():
            match = self._pattern.fullmatch(name)
            status = self.status(name)
            if match and status:
                yield name, StoredResult(match[1], status.st_size, status.st_mtime, status.st_atime)

    def _open(self, name: str) -> int:
        path = self.path(name)
        if not stat.S_ISREG(path.lstat().st_mode):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return open_own(lambda: os.open(path, _READ))


def etag_of(status: os.stat_result) -> str:
    """Names this file, with what is in it: 16 hexadecimal digits.

    The time of its publication is in nanoseconds, so a file that gets the inode of one that was removed has another.
    """
    text = f"{status.st_ino} {status.st_mtime_ns} {status.st_size}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _touch(fd: int) -> None:
    # Not by name: that may be another file's by now, which would get the time of publication of this one. What is not
    # ours to touch is not ours to evict by its time, either.
    with contextlib.suppress(OSError):
        os.utime(fd, ns=(time.time_ns(), os.fstat(fd).st_mtime_ns))


def _is_as_seen(fd: int, seen: StoredResult | None) -> bool:
    status = os.fstat(fd)
    return seen is None or (status.st_mtime, status.st_atime) == (seen.published_at, seen.used_at)
