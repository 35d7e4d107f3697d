"""descriptors: descriptors that mean something only in the process that opened them, closed in its forked children.

A flock lasts until the last copy of its descriptor is closed, and a socket says that its owner died when the last copy
of the other end is. A child of `fork` (gunicorn with preload, multiprocessing) has copies of both and knows nothing of
them: it would keep its parent's locks after the parent's death. What is exec'd has none: all of them close on exec.

Opening and noting is one step under a lock that a fork waits for: a child is never born with a copy that is not noted.
Closing never unlocks first: that would free the parent's lock. Where a fork calls no hooks of Python's, the child
closes them when it first comes into the library; see `forks`.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from typing import Final

from workqueue.system import forks

_STDERR: Final = 2

#: Where nothing tells which numbers are open.
_MOST_LOOKED_AT: Final = 4096

# Guards _own, and is held while descriptors are opened; a forked child has another. Re-entrant, since the garbage
# collector may come in there, and close what a response that nobody sent had open.
_lock = threading.RLock()
_own: set[int] = set()


def open_own(open_one: Callable[[], int]) -> int:
    """Open a descriptor that no forked child shall keep; `close_own` closes it. Callable from any thread.

    Args:
        open_one: opens it, closing on exec, and returns it; it must neither wait nor fork.
    """
    forks.check()
    with _lock:
        fd = open_one()
        _own.add(fd)
        return fd


def open_own_pipe() -> tuple[int, int]:
    """Like `open_own`, the two ends of a pipe: to read from, and to write to without waiting."""
    forks.check()
    with _lock:
        reader, writer = os.pipe()
        _own.update((reader, writer))
    try:
        os.set_blocking(writer, False)
    except BaseException:
        close_own(reader)
        close_own(writer)
        raise
    return reader, writer


def close_own(fd: int) -> None:
    """Close it. A second call does nothing, nor does one for a descriptor of the parent's."""
    forks.check()
    with _lock:
        if fd not in _own:
            return
        _own.discard(fd)
        os.close(fd)


def above_standard(fd: int) -> int:
    """The same open file under a number that is none of stdin's, stdout's and stderr's; closes on exec.

    A daemon may have closed these, and whatever is opened next gets their numbers.

    Raises:
        OSError: there is no descriptor to spare; `fd` is closed then.
    """
    low = []
    try:
        while fd <= _STDERR:
            low.append(fd)
            fd = os.dup(fd)
        return fd
    finally:
        for number in low:
            os.close(number)


def inheritable_descriptors() -> list[int]:
    """Those of this process, at this moment, that do not close on exec, but for stdin, stdout and stderr."""
    try:
        numbers: Iterable[int] = map(int, os.listdir("/dev/fd"))  # noqa: PTH208 - names are all that is wanted
    except OSError:  # a chroot may have no /dev, nor /proc
        numbers = range(min(os.sysconf("SC_OPEN_MAX"), _MOST_LOOKED_AT))
    found = []
    for fd in numbers:
        try:  # not `suppress`, which costs as much as the look; each start of a program looks at all
            if fd > _STDERR and os.get_inheritable(fd):
                found.append(fd)
        except OSError:  # none, or the one of this look, or another thread has closed it
            pass
    return found


def _close_in_child() -> None:
    global _lock  # noqa: PLW0603 - the parent's may be held by a thread that stayed behind
    for fd in tuple(_own):
        with contextlib.suppress(OSError):
            os.close(fd)
    _own.clear()
    _lock = threading.RLock()


def _before_fork() -> None:
    forks.check()  # a lock that was inherited may never be free
    _lock.acquire()


def _after_in_parent() -> None:
    _lock.release()


forks.renew_in_child(_close_in_child)
os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent)
