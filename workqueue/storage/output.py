"""1 and 5 output: what a program left -> a file that can be published, in its place; or the reason why not.

The recipe, and what each step is against:

1. After exit 0 the output must be a regular file, not empty, without an open journal of SQLite or DuckDB beside it: a
   database that was not closed loses what its journal holds. Nor may it be one of SQLite in WAL mode: its readers
   must write beside it.
2. It must be ours alone. A program may have linked it out of a cache of its own (ln, cp -l, git clone --local): then
   its own file would become read-only, and what it writes to that file later would change a result. So what has a
   second name, another owner or another file system is copied; and what somebody can still write to, as a process can
   that the program left behind.
3. fchmod 0400: a result holds one user's private documents, whatever the umask, and a stray write to it fails.
4. fsync before the rename: else a power cut can leave an empty file under the final name, taken for a result for ever.
5. os.replace, then fsync of the directory.

All is asked of the open file, not of its name, which another file may have by then.
"""

import contextlib
import errno
import logging
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.errors import OutputError, StorageError, reason_of
from workqueue.storage.copying import copied
from workqueue.storage.flushing import flush_directory, flush_file
from workqueue.system.locks import is_open_for_writing
from workqueue.system.own_files import give_file

logger = logging.getLogger("workqueue")

#: What SQLite leaves beside a database that was not closed: a write-ahead log, or a rollback journal.
_JOURNALS: Final = ("-wal", "-journal")

_OPEN_DATABASE: Final = (
    "invalid program: it left an SQLite journal beside its output file; it must commit and close the database before"
    " it exits"
)

#: How an SQLite database begins; two bytes behind it say how it is written and read, 2 for by a write-ahead log.
_SQLITE: Final = b"SQLite format 3\0"
_WAL: Final = 2

#: How a DuckDB database begins, behind a checksum of 8 bytes.
_DUCKDB: Final = b"DUCK"

#: How long a process that was killed with its program may take to let go of the output, before that is copied.
LET_GO_SECONDS: Final = 0.2
_LOOK_SECONDS: Final = 0.005


class Output(NamedTuple):
    """A program's output, which nobody else has a name for, or can write to."""

    fd: int
    """Open for reading."""

    path: Path
    """Its name, in the run's private directory."""


@contextlib.contextmanager
def owned_output(output: Path) -> Iterator[Output]:
    """What a program left, or a copy of it, once it was looked at.

    Raises:
        OutputError: on entering, when it can be no result; the text is for the program's author.
        StorageError: on entering: it cannot be read; or it must be copied, and cannot be.
    """
    _check(output)
    with contextlib.ExitStack() as stack:
        # By path, since the program may have replaced the file it was given; not through a link, and without waiting
        # for a pipe's other end, should either have been put there since the check.
        try:
            fd = os.open(output, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError as err:
            raise OutputError(f"Cannot open the output file: {reason_of(err)}") from err
        stack.callback(os.close, fd)
        yield _owned(fd, output, stack)


def _owned(fd: int, output: Path, stack: contextlib.ExitStack) -> Output:
    """The open file, or a copy that is there until the stack is closed."""
    try:
        _check_status(os.fstat(fd))
        check_database(fd, output)
        if not (_is_shared(fd, output) or is_being_written(fd, output)):
            return Output(fd, output)
    except OSError as err:
        raise StorageError(f"Cannot read the output file: {reason_of(err)}") from err
    try:
        copy = stack.enter_context(copied(fd, output.parent))
        # Whoever can write to the original may have done so since.
        _check_status(os.fstat(copy.fd))
        check_database(copy.fd, output)
    except OSError as err:
        raise StorageError(f"Cannot copy the output file: {reason_of(err)}") from err
    return Output(*copy)


def place(fd: int, path: Path, destination: Path, mode: int, *, is_to_last: bool = True) -> os.stat_result:
    """Steps 3 to 5 of the recipe, in one file system; the file's times become those of its publication.

    Args:
        fd: the file, open.
        path: its name, which it loses.
        destination: the name that it gets, in place of what has it.
        mode: its permissions from now on.
        is_to_last: whether the name is to outlast a power cut, too; without, the file is whole, or has no name.

    Returns:
        What the file is now.

    Raises:
        OSError: it is not in its place; or it is, and may not outlast a power cut.
    """
    give_file(fd, destination.parent)  # first: it takes bits of the mode away
    os.fchmod(fd, mode)
    # Not the kernel's "now", which may be the same for some milliseconds: it tells one publication from the next.
    now = time.time_ns()
    os.utime(fd, ns=(now, now))
    flush_file(fd)
    status = os.fstat(fd)
    if not os.path.samestat(status, os.lstat(path)):
        raise OSError(errno.ESTALE, "another file has taken its name since the program exited")
    os.replace(path, destination)  # noqa: PTH105 - beside the fchmod and fsync it belongs with
    if is_to_last:
        _fsync_directory(destination.parent)
    return status


def _check(output: Path) -> None:
    try:
        status = output.lstat()
    except OSError as err:
        raise OutputError(f"Failed to stat output file: {err}") from err
    _check_status(status)
    for suffix in _JOURNALS:
        if _size(f"{output}{suffix}"):
            raise OutputError(_OPEN_DATABASE)


def _check_status(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "a link, pipe or device"
        raise OutputError(f"invalid program: its output file must be a regular file; it left {kind}")
    if status.st_size == 0:
        raise OutputError("invalid program: it should have written to its output file")


def check_database(fd: int, output: Path) -> None:
    """Refuse a database that lacks what lies beside it, or will have something there with its first reader."""
    start = os.pread(fd, len(_SQLITE) + 4, 0)
    if start[8:].startswith(_DUCKDB) and _size(f"{output}.wal"):
        raise OutputError(
            "invalid program: it left a DuckDB log (.wal) beside its output file;"
            " it must close the database before it exits"
        )
    if start.startswith(_SQLITE) and _WAL in start[len(_SQLITE) + 2 :]:
        raise OutputError(
            "invalid program: its output file is an SQLite database in WAL mode, which nobody can read without writing"
            " files beside it; it must execute PRAGMA journal_mode=DELETE before it closes the database"
        )


def check_journals(fd: int, output: Path) -> None:
    """Refuse an SQLite database that was not closed; what other files have beside them is their own.

    Raises:
        OutputError: there is a journal beside it.
    """
    if os.pread(fd, len(_SQLITE), 0) == _SQLITE and any(_size(f"{output}{suffix}") for suffix in _JOURNALS):
        raise OutputError(_OPEN_DATABASE)


def _is_shared(fd: int, output: Path) -> bool:
    """Whether somebody else has a name for it, or it cannot get one of ours."""
    status = os.fstat(fd)
    is_here = status.st_dev == output.parent.stat().st_dev
    return status.st_nlink > 1 or status.st_uid != os.geteuid() or not is_here


def is_being_written(fd: int, output: Path, end: float | None = None) -> bool:
    """Whether somebody can still write to it, after a while: those that were killed with the program let go of it.

    Args:
        fd: the file, open for reading alone.
        output: what the program left, which is or holds the file.
        end: until when to wait, by the clock that only goes on; None: for a while from now on.
    """
    # So that nobody who is no better than we are opens it for writing from now on. Refused: then `place` says so.
    with contextlib.suppress(OSError):
        os.fchmod(fd, stat.S_IRUSR)
    while is_open_for_writing(fd):
        end = time.monotonic() + LET_GO_SECONDS if end is None else end
        if time.monotonic() >= end:
            logger.warning(
                "invalid program: a process that it left behind has its output file in %s open for writing;"
                " what is in it now is copied, and that is the result",
                output.parent.name,
            )
            return True
        time.sleep(_LOOK_SECONDS)
    return False


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a Path takes longer to make than to look at
    except OSError:
        return 0


def _fsync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flush_directory(fd)
    finally:
        os.close(fd)
