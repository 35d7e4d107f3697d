"""1 and 5 files: a directory of whole, unchanging files, read by name while nobody may evict them.

Who reads a file holds a shared flock on it, and who evicts it needs an exclusive one, without waiting. A file's
modification time is that of its publication; its access time is set by hand, to when it was last wanted: file systems
are mounted so that reading alone does not change it.
"""

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from workqueue.descriptors import close_own, open_own
from workqueue.locks import is_file_of, lock, try_lock
from workqueue.storage.base import StoredResult


class Files:
    """The files of one directory. Callable from any thread and any number of processes.

    Args:
        directory: an absolute path; it need not exist.
        pattern: what the names of our files look like, their first group the key. All others are left alone.
    """

    def __init__(self, directory: Path, pattern: "re.Pattern[str]") -> None:
        self.directory = directory
        self._pattern = pattern

    def path(self, name: str) -> Path:
        """Where the file of this name lies, if it is there."""
        return self.directory / name

    def status(self, name: str) -> os.stat_result | None:
        """That of the file; None without one. A link or a directory in its place is not ours."""
        try:
            status = self.path(name).lstat()
        except OSError:
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def touch(self, name: str, status: os.stat_result) -> None:
        """Note that it is wanted."""
        # Not ours to touch, or gone: then nobody evicts it by what we would have noted.
        with contextlib.suppress(OSError):
            os.utime(self.path(name), ns=(time.time_ns(), status.st_mtime_ns), follow_symlinks=False)

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[Path]:
        """The file, which is not evicted for as long as the context lasts.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be opened.
        """
        path = self.path(name)
        while True:
            if self.status(name) is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            fd = open_own(lambda: os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
            try:
                # Where there are no locks, nobody evicts anything.
                with contextlib.suppress(OSError):
                    lock(fd, shared=True)
                # Whoever had it exclusively has removed it; then its name is another's, or nobody's.
                if not is_file_of(fd, path):
                    continue
                self.touch(name, os.fstat(fd))
                yield path
                return
            finally:
                close_own(fd)

    def remove(self, name: str, *, published_at: float | None = None) -> bool:
        """Remove the file unless somebody holds it; return whether it is gone.

        Args:
            name: which.
            published_at: only this one, not another that has taken its place; None: whichever it is.
        """
        path = self.path(name)
        try:
            fd = open_own(lambda: os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))
        except FileNotFoundError:
            return True
        try:
            is_meant = published_at in (None, os.fstat(fd).st_mtime)
            if not (is_meant and try_lock(fd) and is_file_of(fd, path)):
                return False
            path.unlink()
            return True
        finally:
            close_own(fd)

    def entries(self) -> Iterator[tuple[str, StoredResult]]:
        """The name of each file, and what it is.

        Raises:
            OSError: the directory cannot be read.
        """
        try:
            names = os.listdir(self.directory)  # noqa: PTH208 - names are all that is wanted, of thousands
        except FileNotFoundError:
            return
        for name in names:
            match = self._pattern.fullmatch(name)
            status = self.status(name) if match else None
            if match and status:
                yield name, StoredResult(match[1], status.st_size, status.st_mtime, status.st_atime)
