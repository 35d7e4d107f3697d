"""1 and 5 disk: results as files of one directory, published whole or not at all.

The recipe, and what each step is against:

1. A private directory per run, ``.tmp/<key>.<random>/``, in the storage's own file system: SQLite makes files beside
   its database, and a rename cannot cross file systems.
2. After exit 0 the output must be a regular file, not empty, without an open SQLite journal beside it: a database that
   was not closed loses what its journal holds.
3. fchmod 0400: a result holds one user's private documents, whatever the umask, and a stray write to it fails.
4. fsync before the rename: else a power cut can leave an empty file under the final name, taken for a result for ever.
5. os.replace, then fsync of the directory.

While a run lives it holds a flock on its private directory. The kernel frees it with the process, so what can be
locked is a dead run's, and no age or process number is ever guessed at. Where directories cannot be locked (some
network file systems) nothing is swept.
"""

import contextlib
import errno
import logging
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workqueue.descriptors import close_own, open_own
from workqueue.errors import OutputError, StorageError
from workqueue.locks import is_file_of, try_lock

logger = logging.getLogger("workqueue")

#: What SQLite leaves beside a database that was not closed: a write-ahead log, or a rollback journal.
_JOURNALS: Final = ("-wal", "-journal")


@dataclass(frozen=True)
class DiskStorage:
    """Results as files ``<directory>/<key>``. Plain data: constructing it touches nothing.

    Attributes:
        directory: an absolute path; made, with its parents, when the first run needs it.
        mode: the permissions of a published file.
    """

    directory: Path
    mode: int = 0o400

    def path(self, key: str) -> Path:
        """Where the result of this key lies once it is built."""
        return self.directory / key

    def has(self, key: str) -> bool:
        """Whether the result is there: a regular file. A link or a directory in its place is not one of ours."""
        try:
            return stat.S_ISREG(self.path(key).lstat().st_mode)
        except OSError:
            return False

    @contextlib.contextmanager
    def workspace(self, key: str) -> Iterator["DiskWorkspace"]:
        """A private directory for one run; what dead runs of the same key left is removed first."""
        self._sweep(f"{key}.*")
        with _private_directory(self._runs, key) as directory:
            workspace = DiskWorkspace(directory / "out", self.path(key), self.mode)
            try:
                workspace.output.touch(mode=0o600)
            except OSError as err:
                raise StorageError(f"Cannot make the output file in {directory}: {_text(err)}") from err
            yield workspace

    def sweep(self) -> None:
        """Remove the private directories of dead runs."""
        self._sweep("*")

    @property
    def _runs(self) -> Path:
        return self.directory / ".tmp"

    def _sweep(self, pattern: str) -> None:
        try:
            directories = list(self._runs.glob(pattern))
        except OSError:  # the storage is out of reach, or its name too long; the run will say so
            return
        for directory in directories:
            with contextlib.suppress(OSError), _locked(directory):
                logger.info("removing %s, which a dead run left behind", directory.name)
                _remove(directory)


@dataclass(frozen=True)
class DiskWorkspace:
    """One run's output, and where it goes."""

    output: Path
    destination: Path
    mode: int

    @property
    def directory(self) -> Path:
        """See `Workspace`."""
        return self.output.parent

    def publish(self) -> None:
        """Steps 2 to 5 of the recipe."""
        self._check_output()
        fd = self._open_output()
        try:
            os.fchmod(fd, self.mode)
            os.fsync(fd)
            os.replace(self.output, self.destination)  # noqa: PTH105 - beside the fchmod and fsync it belongs with
            _fsync_directory(self.destination.parent)
        except OSError as err:
            raise StorageError(f"Cannot store the result in {self.destination}: {_text(err)}") from err
        finally:
            os.close(fd)

    def _check_output(self) -> None:
        try:
            status = self.output.lstat()
        except OSError as err:
            raise OutputError(f"Failed to stat output file: {err}") from err
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a link, pipe or device"
            raise OutputError(f"invalid program: its output file must be a regular file; it left {kind}")
        if status.st_size == 0:
            raise OutputError("invalid program: it should have written to its output file")
        for suffix in _JOURNALS:
            journal = self.output.with_name(self.output.name + suffix)
            if journal.exists() and journal.stat().st_size > 0:
                raise OutputError(
                    "invalid program: it left an SQLite journal beside its output file;"
                    " it must commit and close the database before it exits"
                )

    def _open_output(self) -> int:
        # By path, since the program may have replaced the file it was given; not through a link, and without waiting
        # for a pipe's other end, should either have been put there since the check.
        try:
            return os.open(self.output, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as err:
            raise OutputError(f"Cannot open the output file: {_text(err)}") from err


@contextlib.contextmanager
def _private_directory(parent: Path, key: str) -> Iterator[Path]:
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as err:
        raise StorageError(f"Cannot make the directory {parent}: {_text(err)}") from err
    while True:
        directory = parent / f"{key}.{secrets.token_hex(8)}"
        try:
            directory.mkdir(mode=0o700)
        except OSError as err:
            raise StorageError(f"Cannot make a private directory for the run in {parent}: {_text(err)}") from err
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(_locked(directory, must_lock=False))
            except OSError as err:
                if err.errno in (errno.EWOULDBLOCK, errno.ENOENT):
                    # A sweeper came between mkdir and flock, and is removing it. Take another name.
                    continue
                # Not _remove, which needs a descriptor: it may be for want of one that we are here.
                with contextlib.suppress(OSError):
                    directory.rmdir()
                raise StorageError(f"Cannot use the run's private directory {directory}: {_text(err)}") from err
            try:
                yield directory
            finally:
                _remove(directory)
            return


@contextlib.contextmanager
def _locked(directory: Path, *, must_lock: bool = True) -> Iterator[None]:
    """Hold a directory's flock.

    Args:
        directory: an existing directory.
        must_lock: raise where the file system cannot lock, instead of going on without.

    Raises:
        OSError: somebody else holds it, or it was removed.
    """
    fd = open_own(lambda: os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC))
    try:
        is_locked = True
        try:
            is_locked = try_lock(fd)
        except OSError:
            if must_lock:
                raise
        if not is_locked:
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK), os.fspath(directory))
        if not is_file_of(fd, directory):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(directory))
        yield
    finally:
        close_own(fd)


def _remove(directory: Path) -> None:
    """Remove a run's directory, also one whose program took its permissions away; log what cannot be removed."""
    try:
        shutil.rmtree(directory)
        return
    except OSError:
        if not os.path.lexists(directory):
            return  # its program did it
        _allow_removal(directory)
    try:
        shutil.rmtree(directory)
    except OSError:
        logger.exception("cannot remove %s", directory)


def _allow_removal(directory: Path) -> None:
    """Take back the permissions of all directories in here; each before it is walked, which needs them."""
    with contextlib.suppress(OSError):
        directory.chmod(0o700)
    for path, names, _ in os.walk(directory):
        for child in (Path(path, name) for name in names):
            with contextlib.suppress(OSError):
                if not child.is_symlink():  # chmod would follow it out of here
                    child.chmod(0o700)


def _fsync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as err:
        # Some file systems cannot sync a directory; there is nothing better to do on them.
        if err.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(fd)


def _text(err: OSError) -> str:
    return err.strerror or str(err)
