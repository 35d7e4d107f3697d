"""4 host changes: files of a directory change -> their names; by inotify(7) on Linux, elsewhere by looking every 50 ms.

The kernel's own call rather than a package: one that batches and debounces told of a line 2 ms later and took a third
of a core for fifty idle readers, where this takes a thousandth.
"""

import errno
import functools
import os
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from workqueue.system.descriptors import close_own, open_own
from workqueue.system.poll import make_poll
from workqueue.system.wake_pipe import WakePipe

if TYPE_CHECKING:
    import ctypes

_IN_MODIFY: Final = 0x2
_IN_CLOSE_WRITE: Final = 0x8
_IN_MOVED_TO: Final = 0x80
_IN_CREATE: Final = 0x100
_IN_Q_OVERFLOW: Final = 0x4000
_IN_IGNORED: Final = 0x8000

_COMES: Final = _IN_CREATE | _IN_MOVED_TO
_CHANGES: Final = _IN_MODIFY | _IN_CLOSE_WRITE

_HEAD: Final = struct.Struct("iIII")
_READ_BYTES: Final = 64 * 1024

#: Between two looks where nothing tells of changes.
POLL_SECONDS: Final = 0.05

#: Between two looks where something does: some file systems tell of changes by this host alone.
SAFETY_SECONDS: Final = 1.0


class Change(NamedTuple):
    """One thing that has happened to what is watched."""

    number: int
    """The one that `Changes` gave to what is watched; LOST: look at everything."""

    name: str
    """Of a file that has come, in a directory that is watched; else empty."""

    is_closed: bool = False
    """Whether somebody who wrote to the file has closed it."""

    is_over: bool = False
    """Whether it is not watched any more, since it is gone or nobody wanted it to be; its number is nobody's."""


#: The number of nothing.
LOST: Final = -1


class Changes:
    """What happens in some directories, and to some files. Used by one thread, but for `wake` and what watches.

    These do nothing once it is closed.

    A directory tells only which files come. To be told of what is written to any of them would wake this process for
    each line of its own journals, to look and find that nobody follows them.
    """

    def __init__(self) -> None:
        self._poll = make_poll()
        self._pipe = WakePipe()
        # Guards the number, and is held over a call to the kernel that takes it. Reentrant, as the pipe's is.
        self._lock = threading.RLock()
        self._inotify = _open_inotify()
        self._can_watch = self._inotify is not None
        self._poll.register(self._pipe.reader)
        if self._inotify is not None:
            self._poll.register(self._inotify)

    @property
    def look_seconds(self) -> float:
        """How often to look at everything, whatever is told."""
        return SAFETY_SECONDS if self._can_watch else POLL_SECONDS

    def watch_directory(self, directory: Path) -> int:
        """Tell of files that come; return its number, LOST when it can only be looked at."""
        return self._watch(os.fsencode(directory), _COMES)

    def watch_file(self, directory: Path, name: str) -> int:
        """Tell of what is written to this file; return its number, the same as before for one that is watched.

        LOST when there is none, or it can only be looked at.
        """
        return self._watch(os.fsencode(f"{directory}/{name}"), _CHANGES)

    def unwatch(self, number: int) -> None:
        """Tell no more of what has this number; the last of it is that it is over."""
        libc = _libc()
        with self._lock:
            if self._inotify is not None and libc is not None:
                libc.inotify_rm_watch(self._inotify, number)

    def _watch(self, path: bytes, mask: int) -> int:
        libc = _libc()
        with self._lock:
            if self._inotify is None or libc is None:
                return LOST
            number = int(libc.inotify_add_watch(self._inotify, path, mask))
            if number == LOST and _errno() != errno.ENOENT:
                self._can_watch = False  # there are no more to have, some 8,000 a user at least; or a sandbox forbids
        return number

    def wait(self, seconds: float | None) -> list[Change]:
        """Wait for changes, a `wake`, or these seconds; for ever, if None.

        Raises:
            OSError: it cannot tell now; what has changed is lost.
        """
        changes: list[Change] = []
        for fd, _ in self._poll.poll(None if seconds is None else max(0.0, seconds) * 1000):
            if fd == self._inotify:
                changes += _parse(os.read(fd, _READ_BYTES))
            else:
                if not self._pipe.drain():
                    raise OSError(errno.EPIPE, "nothing can be written to the pipe that wakes it")
                changes.append(Change(LOST, ""))
        return changes

    def wake(self) -> None:
        """Have `wait` say that everything is to be looked at. Callable from any thread."""
        self._pipe.wake()

    def close(self) -> None:
        """Watch nothing any more. Called by the thread that waits, or when there is none. Idempotent."""
        with self._lock:
            inotify, self._inotify = self._inotify, None
        if inotify is not None:
            close_own(inotify)
        self._pipe.close()


@functools.cache
def _libc() -> "ctypes.CDLL | None":
    """The C library; None where this Python cannot call it: built without libffi, or in a sandbox that forbids it."""
    try:
        import ctypes  # noqa: PLC0415 - it may be missing

        return ctypes.CDLL(None, use_errno=True)
    except (ImportError, OSError, MemoryError):
        return None


def _errno() -> int:
    import ctypes  # noqa: PLC0415 - as above; whoever asks has called it

    return ctypes.get_errno()


def _open_inotify() -> int | None:
    """A descriptor that tells of changes; None where there is none to be had.

    Whatever the reason: not Linux, a sandbox that forbids it (seccomp), or the user has his 128 already.
    """
    libc = _libc()  # not below, where a fork would wait for its import
    if libc is None:
        return None

    def checked() -> int:
        fd = int(libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK))
        if fd < 0:
            raise OSError(_errno(), os.strerror(_errno()))
        return fd

    try:
        return open_own(checked)
    except (AttributeError, OSError):
        return None


def _parse(data: bytes) -> list[Change]:
    changes = []
    offset = 0
    while offset < len(data):
        number, mask, _, length = _HEAD.unpack_from(data, offset)
        offset += _HEAD.size
        name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
        offset += length
        number = LOST if mask & _IN_Q_OVERFLOW else number
        changes.append(Change(number, name, bool(mask & _IN_CLOSE_WRITE), bool(mask & _IN_IGNORED)))
    return changes
