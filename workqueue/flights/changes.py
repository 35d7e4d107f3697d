"""4 changes: files of a directory change -> their names; by inotify(7) on Linux, elsewhere by looking every 50 ms.

The kernel's own call rather than a package: one that batches and debounces told of a line 2 ms later and took a third
of a core for fifty idle readers, where this takes a thousandth.
"""

import contextlib
import ctypes
import errno
import os
import select
import struct
from pathlib import Path
from typing import Final, NamedTuple

from workqueue.descriptors import close_own, open_own, open_own_pipe

_IN_MODIFY: Final = 0x2
_IN_CLOSE_WRITE: Final = 0x8
_IN_CREATE: Final = 0x100
_IN_MOVED_TO: Final = 0x80
_IN_Q_OVERFLOW: Final = 0x4000

_MASK: Final = _IN_MODIFY | _IN_CLOSE_WRITE | _IN_CREATE | _IN_MOVED_TO

_HEAD: Final = struct.Struct("iIII")
_READ_BYTES: Final = 64 * 1024

#: Between two looks where nothing tells of changes.
POLL_SECONDS: Final = 0.05

#: Between two looks where something does: some file systems tell of changes by this host alone.
SAFETY_SECONDS: Final = 1.0


class Change(NamedTuple):
    """One change of one file."""

    directory: int
    """The number that `Changes.watch` gave; LOST: look at everything."""

    name: str
    """The file."""

    is_closed: bool
    """Whether somebody who wrote to it has closed it."""


#: The number of no directory.
LOST: Final = -1


class Changes:
    """What changes in some directories. Used by one thread, but for `wake`."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._inotify = _open_inotify()
        self._can_watch = self._inotify is not None
        self._reader, self._writer = open_own_pipe()
        self._poll.register(self._reader, select.POLLIN)
        if self._inotify is not None:
            self._poll.register(self._inotify, select.POLLIN)

    @property
    def look_seconds(self) -> float:
        """How often to look at everything, whatever is told."""
        return SAFETY_SECONDS if self._can_watch else POLL_SECONDS

    def watch(self, directory: Path) -> int:
        """Tell of this directory too; return its number, LOST when it can only be looked at."""
        if self._inotify is None:
            return LOST
        number = int(_libc().inotify_add_watch(self._inotify, os.fsencode(directory), _MASK))
        self._can_watch = self._can_watch and number != LOST
        return number

    def wait(self, seconds: float | None) -> list[Change]:
        """Wait for changes, a `wake`, or these seconds; for ever, if None."""
        changes: list[Change] = []
        for fd, _ in self._poll.poll(None if seconds is None else max(0.0, seconds) * 1000):
            data = os.read(fd, _READ_BYTES)
            changes += _parse(data) if fd == self._inotify else [Change(LOST, "", False)]
        return changes

    def wake(self) -> None:
        """Have `wait` say that everything is to be looked at. Callable from any thread."""
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._writer, b".")

    def close(self) -> None:
        """Watch nothing any more."""
        for fd in (self._inotify, self._reader, self._writer):
            if fd is not None:
                close_own(fd)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _open_inotify() -> int | None:
    try:
        open_one = _libc().inotify_init1
    except AttributeError:  # not Linux
        return None

    def checked() -> int:
        fd = int(open_one(os.O_CLOEXEC | os.O_NONBLOCK))
        if fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return fd

    try:
        return open_own(checked)
    except OSError as err:
        if err.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSYS):
            return None  # 128 instances a user, unless the administrator says otherwise
        raise


def _parse(data: bytes) -> list[Change]:
    changes = []
    offset = 0
    while offset < len(data):
        directory, mask, _, length = _HEAD.unpack_from(data, offset)
        offset += _HEAD.size
        name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
        offset += length
        directory = LOST if mask & _IN_Q_OVERFLOW else directory
        changes.append(Change(directory, name, bool(mask & _IN_CLOSE_WRITE)))
    return changes
