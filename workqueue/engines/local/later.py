"""4 local later: calls to be made after a while -> one thread that makes them, when each is due."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

from workqueue.system.worker_thread import WorkerThread

logger = logging.getLogger("workqueue")


class Later:
    """Calls functions later. Callable from any thread. Its thread is there while there is something to call."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._is_closed = False
        self._worker = WorkerThread("workqueue-later", self._turn)

    def call(self, seconds: float, function: Callable[[], None]) -> None:
        """Call this after so many seconds; at once, if the system has no thread to wait in; never, after `close`.

        Args:
            seconds: from now.
            function: called with no lock held; what it raises is logged.
        """
        with self._changed:
            if self._is_closed:
                return
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), function))
            self._changed.notify()
        try:
            self._worker.start()
        except RuntimeError:
            with self._changed:
                due, self._due = self._due, []
            for _, _, waiting in due:
                _call(waiting)

    def close(self) -> None:
        """Forget what is due, and take no more; the thread has ended then, unless it calls this. Idempotent."""
        with self._changed:
            self._is_closed = True
            self._due.clear()
            self._changed.notify()
        self._worker.join()

    def _turn(self) -> bool:
        function = self._next()
        if function is not None:
            _call(function)
        return function is not None

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next that is due; None when there is none left, and then the thread ends."""
        with self._changed:
            while self._due:
                seconds = self._due[0][0] - time.monotonic()
                if seconds <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(min(seconds, threading.TIMEOUT_MAX))
            return None


def _call(function: Callable[[], None]) -> None:
    try:
        function()
    except BaseException:  # what another is to be called for does not wait for this one
        logger.exception("exception in workqueue")
