"""locks: flock(2), by which processes of one host tell each other what is in use; the kernel frees a dead one's.

Not `fcntl.lockf`: a POSIX lock belongs to a process, and is gone as soon as that closes any descriptor of the file.
A flock belongs to an open file, with all copies of its descriptor, so two threads exclude each other as processes do.
"""

import contextlib
import fcntl
import os
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workqueue.errors import StorageError
from workqueue.system.descriptors import close_own, open_own
from workqueue.system.own_files import open_file

#: struct flock of fcntl(2): the kind, whence, start and length of a lock, and a process; padded as C does.
_FLOCK: Final = "hhqqi0q"

#: How often `exclusive` looks whether it is its turn, in seconds.
_POLL: Final = 0.02


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Lock an open file now, if nobody is in the way; return whether it is locked.

    Raises:
        OSError: its file system has no such locks.
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock(fd: int, *, shared: bool = False) -> None:
    """Lock an open file, as soon as nobody is in the way.

    Raises:
        OSError: its file system has no such locks.
    """
    fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Be the only one in here, of all threads and processes that name this path; the others wait.

    Args:
        path: a file, made for this, and removed at the end.

    Raises:
        OSError: it cannot be made, or locked.
    """
    while True:
        fd = open_own(lambda: open_file(path, os.O_RDWR | os.O_CREAT))
        try:
            # Not `lock`: with greenlets (gevent) nobody else of the process would go on, nor the one that has it.
            while not try_lock(fd):
                time.sleep(_POLL)
            if not is_file_of(fd, path):
                continue  # who had it before has removed it
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return
        finally:
            close_own(fd)


def unlock(fd: int) -> None:
    """Free the lock, for all copies of the descriptor: one may be in a process that is just being started."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def try_keep(fd: int) -> bool:
    """Lock an open file in another way, that no copy of another descriptor can undo; return whether nobody else has.

    A flock belongs to all copies of its descriptor, and a program that inherits one can free it. This lock is that of
    the descriptor given, which nobody inherits: no POSIX lock, but one of an open file (F_OFD_SETLK; Linux). The two do
    not know of each other. Where there is none of this kind it is as if it was got.

    Args:
        fd: open for writing.
    """
    try:
        _ofd(fd, "F_OFD_SETLK", fcntl.F_WRLCK)
    except BlockingIOError:
        return False
    except OSError:  # a file system that has no such locks
        return True
    return True


def let_go(fd: int) -> None:
    """Free the lock of `try_keep`, for all copies of the descriptor."""
    with contextlib.suppress(OSError):
        _ofd(fd, "F_OFD_SETLK", fcntl.F_UNLCK)


def is_kept(fd: int) -> bool:
    """Whether another descriptor of the file has the lock of `try_keep`."""
    try:
        answer = _ofd(fd, "F_OFD_GETLK", fcntl.F_WRLCK)
    except OSError:
        return False
    return answer is not None and answer != fcntl.F_UNLCK


def _ofd(fd: int, command: str, kind: int) -> int | None:
    """Call fcntl for a lock on the whole file; return the kind of lock it answers; None where there are none."""
    # Elsewhere the structure is another, and its fields have another order.
    if sys.platform != "linux" or not hasattr(fcntl, command):
        return None
    answer = fcntl.fcntl(fd, getattr(fcntl, command), struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0))
    found: int = struct.unpack(_FLOCK, answer)[0]
    return found


def is_file_of(fd: int, path: Path) -> bool:
    """Whether the open file is the one that has this name; a lock on one that was removed protects nothing.

    Raises:
        OSError: nobody can tell: who asks in a loop would ask for ever.
    """
    try:
        there = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    ours = os.fstat(fd)
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)


def is_open_for_writing(fd: int) -> bool:
    """Whether anybody has this file open for writing, or mapped so; False where the kernel cannot say.

    Linux gives a lease for reading to nobody while somebody may write.

    Args:
        fd: of a file of this process's user, open for reading alone.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        # Who opens the file while we have the lease waits until we let it go, and the kernel tells us: by default with
        # a signal that ends this process, so by one that does nothing.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:  # a file system without leases, or another user's file
        return False
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def check_excludes(directory: Path) -> None:
    """Refuse a directory in whose file system a flock keeps nobody out: some network and user-space ones.

    What does not exist yet is looked for in the nearest parent. Nothing is left behind, and where nothing can be
    written the question is left open: no program can run there either.

    Raises:
        StorageError: two locks are held at once, or there are none.
    """
    # Not `is_dir`, which raises where a name is too long.
    while not os.path.isdir(directory) and directory != directory.parent:  # noqa: PTH112
        directory = directory.parent
    try:
        if _excludes(directory, os.O_RDONLY | os.O_DIRECTORY):
            return
    except OSError:
        pass  # a network file system may need a file that is open for writing
    try:
        fd, path = tempfile.mkstemp(prefix=".workqueue-", dir=directory)
    except OSError:
        return
    try:
        if _excludes(Path(path), os.O_RDWR):
            return
        problem = "two processes can hold the same lock (flock) there"
    except OSError as err:
        problem = f"it has no locks (flock: {err.strerror})"
    finally:
        os.close(fd)
        with contextlib.suppress(OSError):
            Path(path).unlink()
    raise StorageError(
        f"The file system of {directory} cannot be used as storage_dir: {problem}, so the same program would run twice"
        " at once. Take a directory on a local disk"
    )


def _excludes(path: Path, flags: int) -> bool:
    with contextlib.ExitStack() as stack:
        first, second = (_open(path, flags, stack) for _ in range(2))
        if not try_lock(first):
            return True  # somebody else is testing it at this moment, and keeps us out
        return not try_lock(second)


def _open(path: Path, flags: int, stack: contextlib.ExitStack) -> int:
    fd = os.open(path, flags | os.O_CLOEXEC)
    stack.callback(os.close, fd)
    return fd
