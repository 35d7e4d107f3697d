"""1 and 5 files: a directory of whole, unchanging files and trees, read by name while nobody may evict them.

Who reads a file holds a shared flock on it, and who evicts it needs an exclusive one, without waiting. A file's
modification time is that of its publication; its access time is set by hand, to when it was last wanted: file systems
are mounted so that reading alone does not change it.

A tree is a directory that is published as one, under a name like a file's; see `trees`. What is said of files here
holds for both, but that a tree has nothing beside it.

Beside a file may lie what readers of an SQLite database left there: ``<name>-wal``, ``<name>-shm``, ``<name>-journal``.
That goes with the file, and before another gets its name: SQLite takes what lies beside a database for a part of it.
"""

import contextlib
import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workqueue.storage.base import StoredResult
from workqueue.storage.beside import Beside
from workqueue.storage.found import Found, Held
from workqueue.storage.tree_output import OutputTree
from workqueue.storage.trees import Tree, Trees
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
        self._trees = Trees(directory)

    def path(self, name: str) -> Path:
        """Where the file of this name lies, if it is there."""
        return self.directory / name

    def status(self, name: str) -> os.stat_result | None:
        """That of the file or of the tree's directory; None without one. What else has its name is not ours."""
        found = self.find(name)
        return None if found is None else found.status

    def find(self, name: str) -> Found | None:
        """What has this name; None without a file or a tree."""
        path = f"{self.directory}/{name}"
        while True:
            try:
                # Not by a Path, which takes longer to make than the kernel to look; each request asks, a new one twice.
                status = os.lstat(path)
            except OSError:
                return None
            if stat.S_ISREG(status.st_mode):
                return Found(status, None)
            tree = self._tree(name, status)
            there = None if tree is None else self._trees.status(tree)
            if there is not None:
                return Found(there, tree)
            if not _is_another(path, status):
                return None

    def touch(self, name: str) -> None:
        """Note that the file is wanted; nothing happens without one."""
        with contextlib.suppress(OSError):
            fd, _ = self._open(name)
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
        with self.held(name) as held:
            yield held.path

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[Held]:
        """As `hold`, with more about it."""
        path = self.path(name)
        while True:
            fd, tree = self._open(name)
            try:
                # Where there are no locks, nobody evicts anything.
                with contextlib.suppress(OSError):
                    lock(fd, shared=True)
                # Whoever had it exclusively has removed it; then its name is another's, or nobody's.
                if not self._is_named(fd, path, tree):
                    continue
                _touch(fd)
                yield Held(fd, path if tree is None else self._trees.path(tree), tree)
                return
            finally:
                close_own(fd)
                if tree is not None:
                    self._trees.remove_if_dead(name, tree)

    @contextlib.contextmanager
    def replacing(self, name: str) -> Iterator[None]:
        """For who gives this name to another file, or takes it from this one; what lies beside it is removed.

        If that is done, and the context does not raise, the details of this one go, too.

        Else an evictor, which has looked at the one and is about to remove what has its name, removes the other.
        """
        is_there, old = True, None
        with contextlib.ExitStack() as stack:
            try:
                old = stack.enter_context(self.held(name)).found()
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

    def publish_tree(self, name: str, output: OutputTree, *, is_to_last: bool = True) -> Found:
        """Give this name to a directory, in place of what has it.

        Args:
            name: which.
            output: it loses its name, in the same file system.
            is_to_last: whether the name is to outlast a power cut, too.

        Raises:
            OSError: it is not in its place; or it is, and may not outlast a power cut.
        """
        with self.replacing(name):
            tree = self._trees.publish(name, output, is_to_last=is_to_last)
        return Found(os.fstat(output.fd), tree)

    def take(self, name: str) -> None:
        """Remove the file, also one that somebody holds: a reader that has it open reads it to its end.

        Raises:
            FileNotFoundError: there is none.
            OSError: it cannot be removed.
        """
        with self.replacing(name):
            if self.find(name) is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
            self.path(name).unlink()

    def remove(self, name: str, *, seen: StoredResult | None = None) -> bool:
        """Remove the file unless somebody holds it; return whether it is gone.

        Args:
            name: which.
            seen: only this one, if nobody has used it since; not another that has taken its place. None: whichever.
        """
        path = self.path(name)
        try:
            fd, tree = self._open(name)
        except FileNotFoundError:
            return True
        try:
            if not (try_lock(fd) and self._is_named(fd, path, tree) and _is_as_seen(fd, seen)):
                return False
            # First: what is left, should this process die in between, goes with the file later.
            self._remove_beside(name)
            self._remove_details(name, Found(os.fstat(fd), tree))
            if tree is None:
                path.unlink()
            else:
                self._trees.remove(name, tree)
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
        self.remove_dead_trees()

    def remove_dead_trees(self) -> None:
        """Remove trees that have no name any more, and that nobody has open; it never raises."""
        self._trees.remove_dead()

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

    def _remove_details(self, name: str, found: Found) -> None:
        if self._details is not None:
            self._details.remove(name, found.etag)

    def _etag(self, name: str) -> str | None:
        found = self.find(name)
        return None if found is None else found.etag

    def _tree(self, name: str, status: os.stat_result) -> Tree | None:
        return self._trees.linked(name) if stat.S_ISLNK(status.st_mode) else None

    def _is_named(self, fd: int, path: Path, tree: Tree | None) -> bool:
        return is_file_of(fd, path) if tree is None else self._trees.linked(path.name) == tree

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
            found = self.find(name)
            if match and found:
                yield name, StoredResult(match[1], found.size, found.status.st_mtime, found.status.st_atime)

    def _open(self, name: str) -> tuple[int, Tree | None]:
        path = f"{self.directory}/{name}"
        while True:
            status = os.lstat(path)
            tree = self._tree(name, status)
            try:
                if stat.S_ISREG(status.st_mode):
                    return open_own(lambda: os.open(path, _READ)), None
                if tree is not None:
                    return self._trees.open(tree), tree
            except OSError:
                # It was replaced, perhaps by one of the other form, and then removed.
                if not _is_another(path, status):
                    raise
            else:
                if not _is_another(path, status):
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _is_another(path: str, status: os.stat_result) -> bool:
    """Whether what has this name is not what was looked at a moment ago."""
    try:
        there = os.lstat(path)
    except OSError:
        return True
    return (there.st_ino, there.st_ctime_ns) != (status.st_ino, status.st_ctime_ns)


def _touch(fd: int) -> None:
    # Not by name: that may be another file's by now, which would get the time of publication of this one. What is not
    # ours to touch is not ours to evict by its time, either.
    with contextlib.suppress(OSError):
        os.utime(fd, ns=(time.time_ns(), os.fstat(fd).st_mtime_ns))


def _is_as_seen(fd: int, seen: StoredResult | None) -> bool:
    status = os.fstat(fd)
    return seen is None or (status.st_mtime, status.st_atime) == (seen.published_at, seen.used_at)
