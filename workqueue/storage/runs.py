"""1 and 5 runs: a key -> a private directory for one run of it, and the removal of what dead runs left.

While a run lives it holds a flock on its directory. The kernel frees it with the process, so what can be locked is a
dead run's, and no age or process number is ever guessed at. Where directories cannot be locked (some network file
systems) nothing is swept.
"""

import contextlib
import errno
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from workqueue.errors import StorageError, reason_of
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of, try_lock

logger = logging.getLogger("workqueue")


class Runs:
    """The private directories below one directory. Callable from any thread and any number of processes.

    Args:
        directory: made, with its parents, when the first run needs it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextlib.contextmanager
    def private(self, key: str) -> Iterator[Path]:
        """A new directory, removed at the end; what dead runs of the same key left is removed first.

        Raises:
            StorageError: on entering, when there can be no such place; the text says what to mend.
        """
        self.sweep(f"{key}.")
        with _private_directory(self._directory, key) as directory:
            yield directory

    def sweep(self, prefix: str = "") -> None:
        """Remove the directories of dead runs whose names begin so; it never raises."""
        try:
            # Not `glob`, which compiles a pattern for each key: 6 us instead of 77 for each run.
            names = os.listdir(self._directory)  # noqa: PTH208 - names are all that is wanted
        except OSError:  # there is none yet, or the storage is out of reach; then the run will say so
            return
        for directory in [self._directory / name for name in names if name.startswith(prefix)]:
            with contextlib.suppress(OSError), _locked(directory):
                logger.info("removing %s, which a dead run left behind", directory.name)
                _remove(directory)


@contextlib.contextmanager
def _private_directory(parent: Path, key: str) -> Iterator[Path]:
    while True:
        directory = parent / f"{key}.{secrets.token_hex(8)}"
        try:
            directory.mkdir(mode=0o700)
        except (FileNotFoundError, NotADirectoryError):
            _make(parent)
            continue
        except OSError as err:
            raise StorageError(f"Cannot make a private directory for the run in {parent}: {reason_of(err)}") from err
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
                raise StorageError(f"Cannot use the run's private directory {directory}: {reason_of(err)}") from err
            try:
                yield directory
            finally:
                _remove(directory)
            return


def _make(parent: Path) -> None:
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as err:
        raise StorageError(f"Cannot make the directory {parent}: {reason_of(err)}") from err


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
    # Most runs leave it empty; to find that out by walking it takes half as long again.
    with contextlib.suppress(OSError):
        directory.rmdir()
        return
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
