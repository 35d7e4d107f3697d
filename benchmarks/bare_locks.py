"""bare_locks: one value for threads that wait for a lock each: the least that waking them can cost. A peer.

It has no heartbeat, no end and no history, and a client that is slow may be told of a value twice or not at all.
"""

import threading
import time
from collections.abc import Iterator

#: So many are woken, then the publisher sleeps, that they get the interpreter; the best of some that were tried.
AT_ONCE = 16
PAUSE_SECONDS = 0.0001


class BareLocks:
    """Any number of threads may read; one publishes, once all have begun to."""

    def __init__(self, first: int) -> None:
        self._latest = first
        self._locks: list[threading.Lock] = []

    def publish(self, value: int) -> None:
        self._latest = value
        for i, lock in enumerate(self._locks, 1):
            lock.release()
            if not i % AT_ONCE:
                time.sleep(PAUSE_SECONDS)

    def read(self) -> Iterator[int]:
        lock = threading.Lock()
        lock.acquire()
        self._locks.append(lock)
        while True:
            yield self._latest
            lock.acquire()
