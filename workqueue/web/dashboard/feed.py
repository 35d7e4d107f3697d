"""7 dashboard feed: looks at a queue, one a second at most -> one stream for all open pages of this process.

It is a job's kind of stream: state, not a log. A page that comes is told what is true now; one that is slow, or a
moment in which much happens, skips what is no longer true.
"""

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from workqueue.streams.subject import ReadOnlySubject, Writer
from workqueue.system.worker_thread import WorkerThread

T = TypeVar("T")

#: Seconds from one look to the next.
INTERVAL: Final = 1.0

#: A look at thousands of jobs takes a while: then the pause until the next is so many times as long.
_REST: Final = 4.0

#: Seconds that the first look may take.
PATIENCE: Final = 10.0


class Feed(Generic[T]):
    """Looks while somebody reads, on a thread that ends when nobody does. Callable from any thread.

    Args:
        look: what there is to tell now; called by the thread alone. It may raise: then the next look comes.
        interval: seconds from one look to the next, at least.
        patience: seconds that `refresh` waits.
    """

    def __init__(self, look: Callable[[], T], interval: float = INTERVAL, patience: float = PATIENCE) -> None:
        self._look = look
        self._interval = interval
        self._patience = patience
        self._worker = WorkerThread("workqueue-dashboard", self._turn)
        self._writer: Writer[T] = Writer(history=1, on_subscribe=self._worker.start)
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._looked_at = float("-inf")
        self._rest = 0.0
        self._n_asking = 0
        # The thread's alone.
        self._told: T | None = None

    @property
    def news(self) -> ReadOnlySubject[T]:
        """What there is to tell: the latest to those who subscribe, and what is new; it never ends."""
        return self._writer.subject

    def refresh(self) -> None:
        """Return when what a reader would be told first is from now: from the last look, if the next is not due.

        It waits for a look, so it is not for an event loop.

        Raises:
            TimeoutError: no look has succeeded in time; the log tells why.
        """
        with self._changed:
            if self._is_fresh():
                return
            self._n_asking += 1
        try:
            self._worker.start()
            with self._changed:
                if not self._changed.wait_for(self._is_fresh, self._patience):
                    raise TimeoutError(f"the queue could not be looked at for {self._patience} seconds")
        finally:
            with self._changed:
                self._n_asking -= 1
                self._changed.notify_all()

    def left(self) -> None:
        """A reader has left: end the thread if it was the last one, instead of with the next look."""
        with self._changed:
            self._changed.notify_all()

    def _turn(self) -> bool:
        with self._changed:
            due = self._looked_at + max(self._interval, self._rest)
            if self._is_wanted() and (seconds := due - time.monotonic()) > 0:
                self._changed.wait(seconds)
            if not self._is_wanted():
                return False
            if time.monotonic() < due:
                return True
        began = time.monotonic()
        news = self._look()
        if news != self._told:
            self._told = news
            self._writer.on_next(news)
        with self._changed:
            self._looked_at = time.monotonic()
            self._rest = _REST * (self._looked_at - began)
            self._changed.notify_all()
        return True

    def _is_wanted(self) -> bool:
        return self._n_asking > 0 or self._writer.subject.n_observers > 0

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._looked_at < max(self._interval, self._rest)
