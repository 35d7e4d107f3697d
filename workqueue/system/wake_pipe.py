"""wake_pipe: any thread wakes -> the one thread that waits for descriptors goes on.

The pipe's two descriptors are numbers, and a number that was closed is soon another file's. So this object owns them:
whoever wakes asks it, at any time, also after it was closed.
"""

import os
import threading
from typing import Final

from workqueue.system.descriptors import close_own, open_own_pipe

_READ_BYTES: Final = 4096


class WakePipe:
    """A pipe that is written to in order to wake its reader.

    `wake` is callable from any thread and at any time; the rest by the thread that reads.

    Raises:
        OSError: there are no descriptors to spare.
    """

    def __init__(self) -> None:
        # Guards _is_open and _can_wake, and is held over a write that never waits, so that the number is the pipe's
        # until it ends. Reentrant: a signal handler that closes a queue wakes too, and may interrupt a wake of its own
        # thread.
        self._lock = threading.RLock()
        self._reader, self._writer = open_own_pipe()
        self._pid = os.getpid()
        self._is_open = True
        self._can_wake = True

    @property
    def reader(self) -> int:
        """The descriptor to wait for; the pipe's until `close`."""
        return self._reader

    def wake(self) -> None:
        """Have the reader become readable. It does nothing after `close`, nor in a forked child of its process."""
        with self._lock:
            if not (self._is_open and self._can_wake and self._pid == os.getpid()):
                return
            try:
                os.write(self._writer, b".")
            except BlockingIOError:  # a full pipe wakes as well
                pass
            except OSError:
                # The kernel has no memory for it, say. An end that closes wakes as well, and is never refused; but it
                # does so once, and the reader has to do without from then on.
                self._can_wake = False
                close_own(self._writer)

    def drain(self) -> bool:
        """Read what has woken it, which there must be; return whether it can be woken again."""
        return bool(os.read(self._reader, _READ_BYTES))

    def close(self) -> None:
        """Close both ends. Idempotent."""
        with self._lock:
            is_open, self._is_open = self._is_open, False
        # Nobody writes any more; only this call closes.
        if is_open:
            close_own(self._reader)
            if self._can_wake:
                close_own(self._writer)
