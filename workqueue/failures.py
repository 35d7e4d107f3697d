"""2 failures: a key -> its job that failed a while ago, for those who ask again too soon.

A program that failed by itself would fail again, and a page that reloads would have it run again and again. Callable
from any thread.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from workqueue.job import Job

#: Each holds a job with its history: 64 events, and an error of up to 64 KiB.
MAX_REMEMBERED: Final = 256


class Failures:
    """Jobs that failed, each for `ttl` seconds, the newest MAX_REMEMBERED at most.

    Args:
        ttl: seconds; 0: nothing is remembered.
        clock: the time in seconds, as `time.monotonic`.

    Raises:
        ValueError: for a ttl that is no such number.
    """

    def __init__(self, ttl: float, clock: Callable[[], float] = time.monotonic) -> None:
        if not 0 <= ttl < math.inf:
            raise ValueError(f"failure_ttl must be a number of seconds, 0 or more; got {ttl!r}")
        self._ttl = ttl
        self._clock = clock
        self._lock = threading.Lock()  # guards _jobs
        # In the order of their times, since all are kept equally long.
        self._jobs: dict[str, tuple[float, Job]] = {}

    def remember(self, job: Job, returncode: int) -> None:
        """Take a job that has ended; it is kept only if its program exited, by itself, with a status above 0.

        A signal, a cancellation, a full disk and a queue that closes say nothing of what the next run would do.
        """
        if self._ttl and returncode > 0:
            with self._lock:
                self._forget_old()
                self._jobs.pop(job.key, None)
                self._jobs[job.key] = (self._clock() + self._ttl, job)
                if len(self._jobs) > MAX_REMEMBERED:
                    del self._jobs[next(iter(self._jobs))]

    def get(self, key: str) -> Job | None:
        """The job of this key that failed no longer ago."""
        with self._lock:
            self._forget_old()
            return self._jobs[key][1] if key in self._jobs else None

    def forget(self, key: str) -> None:
        """Let this key run again."""
        with self._lock:
            self._jobs.pop(key, None)

    def _forget_old(self) -> None:
        now = self._clock()
        while self._jobs and next(iter(self._jobs.values()))[0] <= now:
            del self._jobs[next(iter(self._jobs))]
