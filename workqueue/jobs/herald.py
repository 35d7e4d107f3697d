"""3 herald: the line moved -> the watched jobs that wait are told their new places.

A thread of its own, from the first move that concerns somebody who watches a job that waits until nobody does, asleep
while nothing moves. A job that begins at once and is watched from the start costs no thread. The first move is told at
once, with what follows from it; the moves within GAP_SECONDS after that are told together. So 1,000 jobs with a
client each, and a line that moves a thousand times a second, cost twenty rounds a second, not a million events; and when
a round is work for long, fewer.
"""

import logging
import threading
import time
from typing import Final

from workqueue.jobs.job import Job
from workqueue.jobs.lifecycle import State
from workqueue.system.worker_thread import WorkerThread

#: A place in a queue of jobs that take minutes need not move more often before a person's eyes. Twice as long, and the
#: second of two ends in a row would be told more than 100 ms late, with SETTLE_SECONDS and the time to publish a result.
GAP_SECONDS: Final = 0.05

#: One job ends, the next begins: told together, that is one round instead of two. A job ends and another begins within
#: 1 ms, or 5 on a busy machine.
SETTLE_SECONDS: Final = 0.01

#: How many times as long as a round took until the next: the programs must not wait while clients are told.
REST: Final = 3

logger = logging.getLogger("workqueue")


class Herald:
    """Tells places. `watch` and `moved` are callable from any thread and return at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._watched: set[Job] = set()
        self._has_moved = False
        self._is_telling = False
        self._is_closed = False
        self._worker = WorkerThread("workqueue-herald", self._turn)

    def watch(self, job: Job) -> None:
        """Somebody subscribed to this job: tell its place now, and from now on while it waits and is watched."""
        if job.state is not State.PENDING:
            return
        with self._changed:
            self._watched.add(job)
        # A move before this line is in the place that is told now; one after it finds the job among those watched.
        job.refresh_place()

    def moved(self) -> None:
        """The line moved; it never raises."""
        with self._changed:
            if self._is_closed:
                return
            if not self._is_telling:
                self._forget_others()
                if not self._watched:
                    return
                self._is_telling = True
            self._has_moved = True
            self._changed.notify()
        try:
            self._worker.start()
        except RuntimeError:  # the system has none to spare, or the interpreter ends; the next move tries again
            logger.warning("places in the line cannot be told now: there is no thread for it")

    def close(self) -> None:
        """Tell nothing any more; the thread has ended then, if no observer blocks it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._worker.join()

    def _forget_others(self) -> None:
        """Keep in mind those alone who wait and are watched."""
        # A job is registered as watched before it is added, so who comes now is either seen here or added later.
        self._watched = {job for job in self._watched if job.n_watchers and job.state is State.PENDING}

    def _turn(self) -> bool:
        jobs = self._wait_for_move()
        began = time.monotonic()
        for job in jobs:
            try:
                job.refresh_place()
            except BaseException:  # nobody's place may keep the others from theirs
                logger.exception("exception in workqueue", extra={"key": job.key})
        if jobs:
            # The time of the clients' threads is in it, since one thread of an interpreter works at a time.
            took = time.monotonic() - began
            self._pause(max(GAP_SECONDS, REST * took))
        return bool(jobs)

    def _wait_for_move(self) -> list[Job]:
        """The jobs to tell after the next move; none when nobody is left to tell, and then the thread ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_moved or self._is_closed or not self._is_telling)
        self._pause(SETTLE_SECONDS)
        with self._changed:
            self._has_moved = False
            self._forget_others()
            self._is_telling = bool(self._watched) and not self._is_closed
            return list(self._watched) if self._is_telling else []

    def _pause(self, seconds: float) -> None:
        """Let moves and time pass, but for who closes."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed, seconds)
