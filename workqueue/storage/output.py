"""1 and 5 output: what a program left -> a file that can be published, in its place; or the reason why not.

The recipe, and what each step is against:

1. After exit 0 the output must be a regular file, not empty, without an open SQLite journal beside it: a database that
   was not closed loses what its journal holds.
2. fchmod 0400: a result holds one user's private documents, whatever the umask, and a stray write to it fails.
3. fsync before the rename: else a power cut can leave an empty file under the final name, taken for a result for ever.
4. os.replace, then fsync of the directory.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workqueue.errors import OutputError, reason_of

#: What SQLite leaves beside a database that was not closed: a write-ahead log, or a rollback journal.
_JOURNALS: Final = ("-wal", "-journal")


@contextlib.contextmanager
def opened_output(output: Path) -> Iterator[int]:
    """A descriptor of the program's output, once it was looked at.

    Raises:
        OutputError: on entering, when it can be no result; the text is for the program's author.
    """
    _check(output)
    # By path, since the program may have replaced the file it was given; not through a link, and without waiting for a
    # pipe's other end, should either have been put there since the check.
    try:
        fd = os.open(output, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as err:
        raise OutputError(f"Cannot open the output file: {reason_of(err)}") from err
    try:
        yield fd
    finally:
        os.close(fd)


def place(fd: int, path: Path, destination: Path, mode: int, *, is_to_last: bool = True) -> None:
    """Steps 2 to 4 of the recipe, in one file system; the file's times become those of its publication.

    Args:
        fd: the file, open.
        path: its name, which it loses.
        destination: the name that it gets, in place of what has it.
        mode: its permissions from now on.
        is_to_last: whether the name is to outlast a power cut, too; without, the file is whole, or has no name.

    Raises:
        OSError: it is not in its place; or it is, and may not outlast a power cut.
    """
    os.fchmod(fd, mode)
    os.utime(fd)
    os.fsync(fd)
    os.replace(path, destination)  # noqa: PTH105 - beside the fchmod and fsync it belongs with
    if is_to_last:
        _fsync_directory(destination.parent)


def _check(output: Path) -> None:
    try:
        status = output.lstat()
    except OSError as err:
        raise OutputError(f"Failed to stat output file: {err}") from err
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a link, pipe or device"
        raise OutputError(f"invalid program: its output file must be a regular file; it left {kind}")
    if status.st_size == 0:
        raise OutputError("invalid program: it should have written to its output file")
    for suffix in _JOURNALS:
        if _size(f"{output}{suffix}"):
            raise OutputError(
                "invalid program: it left an SQLite journal beside its output file;"
                " it must commit and close the database before it exits"
            )


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a Path takes longer to make than to look at
    except OSError:
        return 0


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
