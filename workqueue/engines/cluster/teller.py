"""4 cluster teller: what the loop's thread has to say -> the observers' code, on a thread of its own.

An observer may block, and the loop's thread beats for this process. So the loop hands over what is to be told, and this
thread tells it: one for all runs of a process, there while there is something to tell.
"""

import queue
from typing import Final, Protocol

from workqueue.system.worker_thread import WorkerThread

#: How long the thread waits for more before it ends: a thread for each event would cost more than the event.
_LINGER_SECONDS: Final = 5.0


class Told(Protocol):
    """What has reports to deliver."""

    def deliver(self) -> None:
        """Tell them; it never raises."""
        ...


class Teller:
    """Delivers. Callable from any thread; `add` returns at once."""

    def __init__(self) -> None:
        self._to_tell: queue.SimpleQueue[Told | None] = queue.SimpleQueue()
        self._worker = WorkerThread("workqueue-cluster-teller", self._turn)

    def add(self, told: Told) -> None:
        """Have this deliver what it has.

        Raises:
            RuntimeError: the system has no thread to spare; the next one that is added brings it.
        """
        self._to_tell.put(told)
        self._worker.start()

    def close(self) -> None:
        """All is told that was added before; the thread has ended then, if no observer blocks it."""
        self._to_tell.put(None)
        self._worker.join()

    def is_current(self) -> bool:
        """Whether it is the caller's thread: whether an observer calls."""
        return self._worker.is_current()

    def _turn(self) -> bool:
        try:
            told = self._to_tell.get(timeout=_LINGER_SECONDS)
        except queue.Empty:
            return False
        if told is None:
            return not self._to_tell.empty()
        told.deliver()
        return True
