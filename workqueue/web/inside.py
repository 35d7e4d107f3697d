"""7 inside: an open result, and a path from a stranger -> the open file there, or none."""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from workqueue.system.descriptors import close_own, open_own

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

#: Through no link, and without waiting for a pipe's other end.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: What it means to a client that there is no such file; a link is ELOOP, or ENOTDIR in a parent's place.
_NOT_THERE: Final = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EMLINK, errno.ENAMETOOLONG}

#: Deeper than a tree of files is; each step costs a system call or two.
_MAX_DEPTH: Final = 64


def open_inside(directory: Path, path: str) -> int:
    """Open a regular file within a directory; neither a link nor ``..`` leads out of it, nor anywhere.

    Each step is opened relative to the one before it, so what is renamed meanwhile leads nowhere else, either.

    Args:
        directory: of a result that is held open.
        path: relative to it, its parts separated by slashes.

    Returns:
        A descriptor, from `open_own`.

    Raises:
        FileNotFoundError: there is no such file, or no way to it.
        OSError: it cannot be opened.
    """
    *parents, name = path.split("/")
    if len(parents) > _MAX_DEPTH or any(part in {"", ".", ".."} or "\0" in part for part in (*parents, name)):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    fd = os.open(directory, _DIRECTORY)
    try:
        for parent in parents:
            inner = os.open(parent, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
        return open_regular(name, fd)
    except UnicodeEncodeError as err:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from err
    except OSError as err:
        if err.errno in _NOT_THERE:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from err
        raise
    finally:
        os.close(fd)


def open_regular(path: str | Path, parent: int | None = None) -> int:
    """Open a regular file, through no link.

    Args:
        path: its name.
        parent: a descriptor of the directory that the name is relative to.

    Returns:
        A descriptor, from `open_own`.

    Raises:
        FileNotFoundError: what has this name is no regular file.
        OSError: it cannot be opened.
    """
    fd = open_own(lambda: os.open(path, _FILE, dir_fd=parent))
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    except BaseException:
        close_own(fd)
        raise
    return fd
