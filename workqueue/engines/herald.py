"""4 herald: the line moved -> the watched jobs that wait are told their new places.

A thread of its own, there only while somebody watches a job that waits, asleep while nothing moves. The first move is
told at once, with what follows from it; the moves within GAP_SECONDS after that are told together. So 1,000 jobs with a
client each, and a line that moves a thousand times a second, cost ten rounds a second, not a million events; and when
a round is work for long, fewer.
"""

import threading
import time
from typing import Final

from workqueue.job import Job
from workqueue.lifecycle import State

#: A place in a queue of jobs that take minutes need not move more often before a person's eyes.
GAP_SECONDS: Final = 0.1

#: One job ends, the next begins: told together, that is one round instead of two. A job ends and another begins within
#: 1 ms, or 5 on a busy machine.
SETTLE_SECONDS: Final = 0.01

#: How many times as long as a round took until the next: the programs must not wait while clients are told.
REST: Final = 3


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
            if self._thread is None:
                # A daemon: what it tells is of no use to an interpreter that ends.
                thread = threading.Thread(target=self._run, name="workqueue-herald", daemon=True)
                thread.start()  # raises when the system has no thread to spare; then the next watcher tries again
                self._thread = thread
        job.refresh_place()

    def moved(self) -> None:
        """The line moved."""
        with self._changed:
            self._has_moved = True
            self._changed.notify()

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
            # A job is registered as watched before it is added, so who comes now is either seen here or added later.
            self._watched = {job for job in self._watched if job.n_watchers and job.state is State.PENDING}
            if not self._watched:
                self._thread = None
            return list(self._watched)
