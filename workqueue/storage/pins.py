"""1 and 5 pins: an open file -> a path that stays its own, whatever takes its name.

``.open/<name>.<16 hexadecimal digits>`` is a second name of the file (a hard link), for as long as a reader has it
open: whoever opens the path a moment later gets what was looked at, not what has replaced it. The reader holds a lock
on the file before it makes the link, so a link whose file can be locked is a dead reader's. Where no link can be made,
the file's own name has to do. Callable from any thread and any number of processes.
"""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from workqueue.system.descriptors import close_own, open_own
from workqueue.system.locks import try_lock
from workqueue.system.own_files import make_directory, open_directory

_OURS: Final = re.compile(r"[0-9a-f]{40}\.[0-9a-f]{16}")
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextlib.contextmanager
def pinned(fd: int, path: Path, directory: Path) -> Iterator[Path]:
    """A path of the open file that no other file will have, or the one that it has.

    Args:
        fd: the file, with a lock.
        path: its name, which another may have by now.
        directory: ours alone, in the same file system; made when it is needed.
    """
    pin = directory / f"{path.name}.{secrets.token_hex(8)}"
    try:
        is_pinned = _link(fd, path, pin)
    except OSError:  # no links here, or another user's storage
        is_pinned = False
    try:
        yield pin if is_pinned else path
    finally:
        if is_pinned:
            with contextlib.suppress(OSError):
                pin.unlink()


def remove_dead_pins(directory: Path) -> None:
    """Remove those of readers that were killed; it never raises."""
    try:
        parent = open_directory(directory)
    except OSError:
        return
    try:
        for name in filter(_OURS.fullmatch, os.listdir(parent)):  # noqa: PTH208 - a Path knows of no open directory
            with contextlib.suppress(OSError):
                _remove_if_dead(name, parent)
    except OSError:
        return
    finally:
        os.close(parent)


def _link(fd: int, path: Path, pin: Path) -> bool:
    try:
        os.link(path, pin, follow_symlinks=False)
    except FileNotFoundError:
        make_directory(pin.parent)
        os.link(path, pin, follow_symlinks=False)
    if os.path.samestat(os.fstat(fd), pin.lstat()):
        return True
    pin.unlink()  # it was replaced already
    return False


def _remove_if_dead(name: str, parent: int) -> None:
    fd = open_own(lambda: os.open(name, _READ, dir_fd=parent))
    try:
        if try_lock(fd):
            os.unlink(name, dir_fd=parent)
    finally:
        close_own(fd)
