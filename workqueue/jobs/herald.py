"""3 herald: the line moved -> the watched jobs that wait are told their new places.

A thread of its own, from the first move that concerns somebody who watches a job that waits until nobody does, asleep
while nothing moves. A job that begins at once and is watched from the start costs no thread. The first move is told at
once, with what follows from it; the moves within GAP_SECONDS after that are told together. So 1,000 jobs with a
client each, and a line that moves a thousand times a second, cost ten rounds a second, not a million events; and when
a round is work for long, fewer.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from workqueue.jobs.job import Job
from workqueue.jobs.lifecycle import State

#: A place in a queue of jobs that take minutes need not move more often before a person's eyes.
GAP_SECONDS: Final = 0.1

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
        self._thread: threading.Thread | None = None

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
            if self._thread is None:
                self._forget_others()
                if not self._watched:
                    return
                self._thread = _started(self._run)
            has_thread = self._thread is not None
            self._has_moved = True
            self._changed.notify()
        if not has_thread:  # the next move tries again
            logger.warning("places in the line cannot be told now: there is no thread for it")

    def _forget_others(self) -> None:
        """Keep in mind those alone who wait and are watched."""
        # A job is registered as watched before it is added, so who comes now is either seen here or added later.
        self._watched = {job for job in self._watched if job.n_watchers and job.state is State.PENDING}

    def _run(self) -> None:
        while jobs := self._wait_for_move():
            began = time.monotonic()
            for job in jobs:
                job.refresh_place()
            # The time of the clients' threads is in it, since one thread of an interpreter works at a time.
            took = time.monotonic() - began
            time.sleep(max(GAP_SECONDS, REST * took))

    def _wait_for_move(self) -> list[Job]:
        """The jobs to tell after the next move; none when nobody is left to tell, and then the thread ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_moved)
        time.sleep(SETTLE_SECONDS)
        with self._changed:
            self._has_moved = False
            self._forget_others()
            if not self._watched:
                self._thread = None
            return list(self._watched)


def _started(run: Callable[[], None]) -> threading.Thread | None:
    # A daemon: what it tells is of no use to an interpreter that ends.
    thread = threading.Thread(target=run, name="workqueue-herald", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the system has none to spare, or the interpreter ends
        return None
    return thread
