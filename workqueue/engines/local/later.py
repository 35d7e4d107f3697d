"""4 local later: calls to be made after a while -> one thread that makes them, when each is due."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger("workqueue")


class Later:
    """Calls functions later. Callable from any thread. Its thread is there while there is something to call."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._has_thread = False

    def call(self, seconds: float, function: Callable[[], None]) -> None:
        """Call this after so many seconds; or at once, if the system has no thread to wait in.

        Args:
            seconds: from now.
            function: called with no lock held; what it raises is logged.
        """
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._numbers), function))
            self._changed.notify()
            if self._has_thread:
                return
            self._has_thread = True
        try:
            # A daemon: an interpreter that ends waits for nothing that was to come later.
            threading.Thread(target=self._run, name="workqueue-later", daemon=True).start()
        except RuntimeError:
            with self._changed:
                self._has_thread = False
                due, self._due = self._due, []
            for _, _, waiting in due:
                _call(waiting)

    def clear(self) -> None:
        """Forget what is due."""
        with self._changed:
            self._due.clear()
            self._changed.notify()

    def _run(self) -> None:
        while (function := self._next()) is not None:
            _call(function)

    def _next(self) -> Callable[[], None] | None:
        """Wait for the next that is due; None when there is none left, and then the thread ends."""
        with self._changed:
            while self._due:
                seconds = self._due[0][0] - time.monotonic()
                if seconds <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(min(seconds, threading.TIMEOUT_MAX))
            self._has_thread = False
            return None


def _call(function: Callable[[], None]) -> None:
    try:
        function()
    except Exception:
        logger.exception("exception in workqueue")
