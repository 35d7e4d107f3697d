"""1 and 5 runs: a key -> a private directory for one run of it, and the removal of what dead runs left.

While a run lives it holds a flock on its directory. The kernel frees it with the process, so what can be locked is a
dead run's, and no age or process number is ever guessed at. Where directories cannot be locked (some network file
systems) nothing is swept.
"""

import contextlib
import errno
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from workqueue.errors import StorageError, reason_of
from workqueue.storage.removal import remove_tree
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of, try_lock
from workqueue.system.own_files import give_to_owner, make_directory, open_directory

logger = logging.getLogger("workqueue")

#: What the directory of a run is called: by its key and a random number. What has another name is not ours to remove.
_RANDOM: Final = re.compile("[0-9a-f]{16}")
_OURS: Final = re.compile(rf"[0-9a-f]{{40}}\.{_RANDOM.pattern}")

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

#: How often a new directory may be removed before it is locked, as by who takes it for a dead run's.
_MAX_TURNS: Final = 100


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
        prefix = f"{key}."
        self._sweep(lambda name: name.startswith(prefix) and _RANDOM.fullmatch(name, len(prefix)))
        with _private_directory(self._directory, key) as directory:
            yield directory

    def sweep(self) -> None:
        """Remove the directories of dead runs; it never raises."""
        self._sweep(_OURS.fullmatch)

    def _sweep(self, is_ours: Callable[[str], object]) -> None:
        try:
            parent = open_directory(self._directory)
        except OSError:  # there is none yet, it is none of ours, or it is out of reach; then the run will say so
            return
        try:
            # Not `glob`, nor a pattern of the key: to compile one takes 200 us, for each run.
            names = os.listdir(parent)  # noqa: PTH208 - a Path knows of no open directory
            for directory in [self._directory / name for name in filter(is_ours, names)]:
                with contextlib.suppress(OSError), _locked(directory, parent):
                    logger.info("removing %s, which a dead run left behind", directory.name)
                    _remove(directory, parent)
        except OSError:  # as above
            return
        finally:
            os.close(parent)


@contextlib.contextmanager
def _private_directory(parent: Path, key: str) -> Iterator[Path]:
    for _ in range(_MAX_TURNS):
        directory = parent / f"{key}.{secrets.token_hex(8)}"
        try:
            directory.mkdir(mode=0o700)
            give_to_owner(directory)
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
                _remove(directory, None)
            return
    raise StorageError(
        f"Cannot make a private directory for the run in {parent}: each is removed as soon as it is made"
    )


def _make(parent: Path) -> None:
    try:
        make_directory(parent)
    except OSError as err:
        raise StorageError(f"Cannot make the directory {parent}: {reason_of(err)}") from err


@contextlib.contextmanager
def _locked(directory: Path, parent: int | None = None, *, must_lock: bool = True) -> Iterator[None]:
    """Hold a directory's flock.

    Args:
        directory: an existing directory.
        parent: the open directory that it is in; None: it is opened by its path.
        must_lock: raise where the file system cannot lock, instead of going on without.

    Raises:
        OSError: somebody else holds it, or it was removed.
    """
    name = directory if parent is None else directory.name
    fd = open_own(lambda: os.open(name, _DIRECTORY, dir_fd=parent))
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


def _remove(directory: Path, parent: int | None) -> None:
    """Remove a run's directory, also one whose program took its permissions away; log what cannot be removed.

    Args:
        directory: which.
        parent: the open directory that it is in, so that nobody else's gets in its place; None: it is opened.
    """
    # Most runs leave it empty; to find that out by walking it takes half as long again.
    with contextlib.suppress(OSError):
        os.rmdir(directory if parent is None else directory.name, dir_fd=parent)
        return
    if parent is not None:
        _remove_tree(directory, parent)
        return
    try:
        parent = open_directory(directory.parent)
    except OSError:
        logger.exception("cannot remove %s", directory)
        return
    try:
        _remove_tree(directory, parent)
    finally:
        os.close(parent)


def _remove_tree(directory: Path, parent: int) -> None:
    try:
        remove_tree(directory.name, parent)
    except OSError:
        if os.path.lexists(directory):  # else its program did it
            logger.exception("cannot remove %s", directory)
