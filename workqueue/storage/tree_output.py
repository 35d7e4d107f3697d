"""1 and 5 tree_output: a directory that a program left -> one that can be published, or the reason why not.

As `output` does for a file, of each file in it: what has a second name or can still be written to is copied, what lacks
its journal is refused; then it is made read-only, and flushed. Of the rest:

* It must be a directory, with at least one file in it. Sockets, pipes and devices are no data.
* A link must lead to a place within, wherever the directory is: see `links`. One that leads out would show what lies
  there to whoever reads the result, on whichever host.
* It is one file system: what is mounted in it cannot be renamed with it.

Nothing is opened for longer than it is looked at, but the directory itself. The program is dead by now, so what was
looked at stays as it is.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.errors import OutputError, StorageError, reason_of
from workqueue.storage.copying import copied
from workqueue.storage.flushing import flush, flush_directory
from workqueue.storage.links import leads_within
from workqueue.storage.output import LET_GO_SECONDS, check_database, check_journals, is_being_written
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.own_files import give_file

#: No format nests so deep, and each level costs whoever walks it a descriptor.
MAX_DEPTH: Final = 100

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class OutputTree(NamedTuple):
    """A program's directory, in which nobody else has a name for anything, and nothing is to be written."""

    fd: int
    """Open for reading; it is a lock's, and no forked child keeps it."""

    path: Path
    """Its name, in the run's private directory."""

    mode: int
    """What its permissions are to be once it has its place: a directory that cannot be written to cannot be moved."""

    size: int
    """Of all its files, in bytes."""

    n_entries: int
    """How many files, directories and links are in it."""


def directory_mode(mode: int) -> int:
    """The permissions of directories whose files have these: who may read the one may search the other."""
    return mode | (mode & 0o444) >> 2


@contextlib.contextmanager
def owned_tree(output: Path, mode: int, *, is_to_last: bool) -> Iterator[OutputTree]:
    """What a program left, once it was looked at, and made read-only.

    Args:
        output: the directory.
        mode: the permissions of a file in it, from now on.
        is_to_last: whether it is to outlast a power cut.

    Raises:
        OutputError: on entering, when it can be no result; the text is for the program's author.
        StorageError: on entering: a file must be copied, or flushed, and cannot be.
    """
    fd = _opened(output)
    try:
        try:
            walk = _Walk(fd, output, mode, is_to_last=is_to_last)
            walk.run()
        except OSError as err:
            raise StorageError(f"Cannot make the output directory read-only: {reason_of(err)}") from err
        if not walk.has_files:
            raise OutputError("invalid program: it should have written files to its output directory, which is empty")
        yield OutputTree(fd, output, directory_mode(mode), walk.size, walk.n_entries)
    finally:
        close_own(fd)


def _opened(output: Path) -> int:
    try:
        status = output.lstat()
        if not stat.S_ISDIR(status.st_mode):
            kind = "a file" if stat.S_ISREG(status.st_mode) else "a link, pipe or device"
            raise OutputError(
                f"invalid program: its output must be a directory (the queue has result='directory'); it left {kind}"
            )
        if status.st_dev != output.parent.stat().st_dev:
            raise OutputError("invalid program: it mounted another file system as its output directory")
        output.chmod(0o700)  # the program may have taken our permission to look
        return open_own(lambda: os.open(output, _DIRECTORY))
    except OSError as err:
        raise OutputError(f"Failed to stat output directory: {err}") from err


class _Walk:
    """A look at all that is in a directory. Used by one thread."""

    def __init__(self, fd: int, output: Path, mode: int, *, is_to_last: bool) -> None:
        self._fd = fd
        self._output = output
        self._mode = mode
        self._is_to_last = is_to_last
        self._device = os.fstat(fd).st_dev
        self._end = time.monotonic() + LET_GO_SECONDS
        self._is_root = os.geteuid() == 0
        self.size = 0
        self.has_files = False
        self.n_entries = 0

    def run(self) -> None:
        directories = [""]
        for name in directories:  # which grows meanwhile
            files = self._look(name, directories)
            if self._is_to_last:
                flush(files, self._fd)
        # The deepest first, each after what it holds. The topmost keeps its permissions until it is in its place, where
        # it is flushed, too.
        for name in reversed(directories[1:]):
            self._close(name)
        if self._is_root:
            give_file(self._fd, self._output.parent)

    def _look(self, name: str, directories: list[str]) -> list[str]:
        """Look at one directory; return its files, and add its directories to those that are to be looked at."""
        files = []
        fd = os.open(name, _DIRECTORY, dir_fd=self._fd) if name else os.dup(self._fd)
        try:
            children = os.listdir(fd)  # noqa: PTH208 - a Path knows of no open directory
        finally:
            os.close(fd)
        for child in children:
            path = f"{name}/{child}" if name else child
            self.n_entries += 1
            status = os.lstat(path, dir_fd=self._fd)
            if stat.S_ISDIR(status.st_mode):
                self._take_directory(path, status)
                directories.append(path)
            elif stat.S_ISREG(status.st_mode):
                self._take_file(path)
                files.append(path)
            elif stat.S_ISLNK(status.st_mode):
                self._take_link(path)
            else:
                raise OutputError(
                    f"invalid program: its output directory holds a socket, pipe or device, {path!r}; it must remove"
                    " that before it exits"
                )
        return files

    def _take_directory(self, path: str, status: os.stat_result) -> None:
        if path.count("/") >= MAX_DEPTH:
            raise OutputError(f"invalid program: its output directory is nested deeper than {MAX_DEPTH} directories")
        if status.st_dev != self._device:
            raise OutputError(f"invalid program: its output directory holds another file system, {path!r}")
        os.chmod(path, 0o700, dir_fd=self._fd)  # its program may have taken our permission to look

    def _take_file(self, path: str) -> None:
        try:
            fd = os.open(path, _FILE, dir_fd=self._fd)
        except OSError as err:
            raise OutputError(f"Cannot open a file of the output directory, {path!r}: {reason_of(err)}") from err
        try:
            self._check(fd, path)
            if self._is_shared(fd) or is_being_written(fd, self._output, self._end):
                self._copy(fd, path)
            else:
                self._seal(fd)
        finally:
            os.close(fd)

    def _copy(self, fd: int, path: str) -> None:
        with copied(fd, self._output.parent) as copy:
            self._check(copy.fd, path)  # whoever can write to the original may have done so since
            self._seal(copy.fd)
            os.rename(copy.path, path, dst_dir_fd=self._fd)

    def _check(self, fd: int, path: str) -> None:
        try:
            check_journals(fd, self._output / path)
            check_database(fd, self._output / path)
        except OutputError as err:
            raise OutputError(f"{err} ({path!r})") from None

    def _is_shared(self, fd: int) -> bool:
        status = os.fstat(fd)
        return status.st_nlink > 1 or status.st_uid != os.geteuid() or status.st_dev != self._device

    def _seal(self, fd: int) -> None:
        if self._is_root:
            give_file(fd, self._output.parent)  # first: it takes bits of the mode away
        os.fchmod(fd, self._mode)
        self.size += os.fstat(fd).st_size
        self.has_files = True

    def _take_link(self, path: str) -> None:
        target = os.readlink(path, dir_fd=self._fd)
        if not leads_within(path, target):
            raise OutputError(
                f"invalid program: its output directory holds a symbolic link, {path!r}, that may lead out of it; copy"
                " what it leads to, or make it relative, with no '..' but at its beginning"
            )
        if self._is_root:
            self._give_link(path)

    def _give_link(self, path: str) -> None:
        owner = self._output.parent.stat()
        if owner.st_uid != 0:
            os.chown(path, owner.st_uid, owner.st_gid, dir_fd=self._fd, follow_symlinks=False)

    def _close(self, path: str) -> None:
        fd = os.open(path, _DIRECTORY, dir_fd=self._fd)
        try:
            if self._is_root:
                give_file(fd, self._output.parent)
            os.fchmod(fd, directory_mode(self._mode))
            if self._is_to_last:
                flush_directory(fd)
        finally:
            os.close(fd)
