"""4 host line member: a file that a process has locked for as long as it lives.

The kernel frees the lock of a dead one. Others see that it died by their own locks on the file, and hear of it by the
kernel, which closes a file that was open for writing.
"""

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Final

from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import is_file_of, try_lock, unlock
from workqueue.system.own_files import open_file, read_file

_NAME: Final = re.compile("member-([0-9a-f]{16})")

#: What stands in a file.
_PID: Final = re.compile(rb"[0-9]{1,10}\n")
_MAX_BYTES: Final = 16

#: How often a file may be taken away between its making and its lock.
_MAX_TURNS: Final = 100

#: Errors of this process, not of the file's: no descriptor or memory to spare, no access, a broken disk.
_CANNOT_TELL: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EIO)


class Lifeline:
    """The lock of this process. Closed once.

    Args:
        directory: where it is.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, directory: Path) -> None:
        for _ in range(_MAX_TURNS):
            self.member = secrets.token_hex(8)
            self._path = directory / name_of(self.member)
            self._fd = open_own(lambda: open_file(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
            try:
                # Between the two, somebody may have taken it for a dead one's.
                if try_lock(self._fd) and is_file_of(self._fd, self._path):
                    with contextlib.suppress(OSError):  # for people alone: no process goes by it
                        os.write(self._fd, b"%d\n" % os.getpid())
                    return
            except BaseException:
                close_own(self._fd)
                raise
            close_own(self._fd)
        raise OSError(errno.EBUSY, "whatever is made there is removed before it is locked")

    def close(self) -> None:
        """It is as dead from now on."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        close_own(self._fd)


def name_of(member: str) -> str:
    """The name of a process's file."""
    return f"member-{member}"


def member_of(name: str) -> str | None:
    """Whose file has this name."""
    match = _NAME.fullmatch(name)
    return None if match is None else match[1]


def bury_if_dead(directory: Path, member: str) -> bool:
    """Whether this process is dead; then its file is removed.

    Raises:
        OSError: nobody can tell.
    """
    return _is_dead(directory, member, lambda path: path.unlink())


def is_dead(directory: Path, member: str) -> bool:
    """Whether this process is dead; nothing is done about it.

    Raises:
        OSError: nobody can tell.
    """
    return _is_dead(directory, member, lambda _: None)


def pid_of(directory: Path, member: str) -> str:
    """The number of this process, as it said itself, for people; "" if it is not there."""
    try:
        text = read_file(directory / name_of(member), _MAX_BYTES)
    except OSError:
        return ""
    return text.strip().decode() if _PID.fullmatch(text) else ""


def _is_dead(directory: Path, member: str, then: Callable[[Path], object]) -> bool:
    path = directory / name_of(member)
    try:
        # For reading alone: closing one that could write is told to all that watch the file, and they would look again.
        fd = open_own(lambda: open_file(path, os.O_RDONLY))
    except OSError as err:
        # What is no file of ours, nobody has locked.
        if err.errno in _CANNOT_TELL:
            raise
        return True
    try:
        if not try_lock(fd, shared=True):
            return False
        with contextlib.suppress(OSError):
            then(path)
        unlock(fd)
        return True
    finally:
        close_own(fd)
