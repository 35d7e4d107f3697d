"""3 abandonment: jobs that nobody has watched for a while -> cancelled.

A thread looks now and then, while jobs live, rather than being told of each client that leaves: that may happen in a
garbage collection, in the middle of any line, where no lock can be taken. A look is a comparison for each job.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

from workqueue.jobs.job import Job
from workqueue.system.worker_thread import WorkerThread

#: Looks in each period: a job that is left alone goes on for a tenth longer at most, or two.
LOOKS: Final = 10

#: The least seconds between two looks.
MIN_GAP_SECONDS: Final = 0.02

#: The most; what a lock can wait for has an end.
MAX_GAP_SECONDS: Final = 3600.0

logger = logging.getLogger("workqueue")


class Abandonment:
    """Cancels what nobody watches. Callable from any thread.

    Args:
        seconds: for how long a job may be watched by nobody, nor be asked for; None: for ever.
        live: the jobs there are.
        clock: the time in seconds, as `time.monotonic`.

    Raises:
        ValueError: for seconds that are no such number.
    """

    def __init__(
        self, seconds: float | None, live: Callable[[], Iterable[Job]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        if seconds is not None and not 0 < seconds < math.inf:
            raise ValueError(f"abandon_after must be a number of seconds above 0, or None; got {seconds!r}")
        self._seconds = seconds
        self._live = live
        self._clock = clock
        self._alone: dict[Job, tuple[int, float]] = {}  # of the looking thread: visits it had, since when
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._has_news = False
        self._worker = WorkerThread("workqueue-abandonment", self._turn)

    def begin(self) -> None:
        """There is a job: look now and then, as long as there are any.

        Raises:
            RuntimeError: the system has no thread to spare.
        """
        if self._seconds is None:
            return
        with self._changed:
            self._has_news = True
        self._worker.start()

    def wake(self) -> None:
        """There may be no job left: look at once. It never raises."""
        with self._changed:
            self._has_news = True
            self._changed.notify()

    def close(self) -> None:
        """If there is no job left, the thread has ended then."""
        self.wake()
        if not list(self._live()):
            self._worker.join()

    def look(self) -> bool:
        """Cancel what has been alone for long enough; return whether there is any job. By one thread at a time."""
        assert self._seconds is not None
        now = self._clock()
        alone = {}
        jobs = list(self._live())
        for job in jobs:
            n_visits = job.n_visits
            if job.n_watchers or job.state.is_final:
                continue
            n_visits_then, since = self._alone.get(job, (n_visits, now))
            if n_visits_then != n_visits:
                since = now
            if now - since >= self._seconds:
                _abandon(job, n_visits, now - since)
            alone[job] = (n_visits, since)
        self._alone = alone
        return bool(jobs)

    def _turn(self) -> bool:
        assert self._seconds is not None
        gap = min(max(self._seconds / LOOKS, MIN_GAP_SECONDS), MAX_GAP_SECONDS)
        with self._changed:
            self._has_news = False
        has_jobs = self.look()
        with self._changed:
            if has_jobs:
                self._changed.wait_for(lambda: self._has_news, gap)
            return has_jobs or self._has_news


def _abandon(job: Job, n_visits: int, seconds: float) -> None:
    try:
        if job.abandon(n_visits):
            logger.info("nobody has watched the job %s for %g s: cancelled", job.key, seconds, extra={"key": job.key})
    except BaseException:  # the next job's time comes all the same
        logger.exception("exception in workqueue", extra={"key": job.key})
