"""3 estimator: the jobs that run, and what the last ones took -> how long one that waits still does.

Callable from any thread. What is estimated holds for every place of the line, so a thousand jobs that are told of one
move cost one estimate; and it is kept for a moment, for the heartbeats of all their clients.
"""

import threading
import time
from collections.abc import Callable, Collection
from typing import Final, Protocol

from workqueue.jobs.estimate import Estimate, estimate

#: Seconds for which an estimate is repeated where none began or ended: clients are told tenths, people minutes.
KEPT_SECONDS: Final = 1.0


class Running(Protocol):
    """A job that has begun."""

    @property
    def latest_run_seconds(self) -> float | None:
        """How long it has run; None: it rests."""
        ...


class Estimator:
    """Estimates the waits of one line.

    Args:
        max_running: says how many jobs run at once, now; None: nobody knows.
        recent: says how many seconds the last runs took.
    """

    def __init__(self, max_running: Callable[[], int | None], recent: Callable[[], Collection[float]]) -> None:
        self._max_running = max_running
        self._recent = recent
        self._lock = threading.Lock()  # guards all below
        self._running: dict[int, Running] = {}
        self._n_moves = 0
        self._latest: tuple[int, float, Estimate | None] | None = None

    def began(self, job: Running) -> None:
        """This one runs, from now on until `ended`."""
        with self._lock:
            self._running[id(job)] = job
            self._n_moves += 1

    def ended(self, job: Running) -> None:
        """This one does not run any more, if it did."""
        with self._lock:
            if self._running.pop(id(job), None) is not None:
                self._n_moves += 1

    def eta(self, n_ahead: int) -> float | None:
        """How long a job with so many ahead of it still waits: seconds, to a tenth; None: there is no telling."""
        found = self._estimate() if n_ahead else None
        seconds = None if found is None else found.seconds(n_ahead)
        return None if seconds is None else round(seconds, 1)

    def _estimate(self) -> Estimate | None:
        now = time.monotonic()
        # Without the lock, as thousands look at each move: it is one tuple, and one number.
        latest = self._latest
        if latest is not None and latest[0] == self._n_moves and now < latest[1] + KEPT_SECONDS:
            return latest[2]
        with self._lock:
            n_moves = self._n_moves
            running = list(self._running.values())
        # Each of these takes a lock of its own.
        max_running = self._max_running()
        ages = [age for job in running if (age := job.latest_run_seconds) is not None]
        found = None if max_running is None else estimate(self._recent(), ages, max_running)
        with self._lock:
            self._latest = (n_moves, now, found)
        return found
